/**
 * The one table of errors. Codes are contract: scripts, runbooks (docs/runbooks/<code>.md) and docs/reference/errors.md go by them.
 * `exit` is the CLI's exit code; `retryable` says whether the same call may succeed later without anybody mending anything.
 */
export const errorTable = {
  'KT-INTERNAL': {
    exit: 1,
    retryable: false,
    hint: 'This is a defect of keyturn: please report it with the log lines around it.',
  },
  'KT-USAGE': { exit: 2, retryable: false, hint: 'Run the command with --help.' },
  'KT-CONFIG': { exit: 2, retryable: false, hint: 'Mend the named place in keyturn.yaml; `keyturn doctor` checks it.' },
  'KT-CONFIG-MISSING': { exit: 2, retryable: false, hint: 'Run `keyturn init`, or name the file with --config.' },
  'KT-SECRET-MISSING': {
    exit: 2,
    retryable: false,
    hint: 'Set the named environment variable or create the named file.',
  },
  'KT-UNKNOWN-CREDENTIAL': {
    exit: 2,
    retryable: false,
    hint: '`keyturn status` lists the credentials of this config.',
  },
  'KT-INPUT': { exit: 2, retryable: false, hint: 'Mend the input as the message says; nothing was changed.' },
  'KT-NOT-IMPORTED': { exit: 5, retryable: false, hint: 'Seal the existing key first: `keyturn import ID`.' },
  'KT-ALREADY-IMPORTED': { exit: 5, retryable: false, hint: 'Use `keyturn import ID --replace` to replace the key.' },
  'KT-CONFLICT': {
    exit: 5,
    retryable: true,
    hint: 'Something else is at work on this credential: `keyturn status ID`, then try again.',
  },
  'KT-REPOINTED': {
    exit: 5,
    retryable: false,
    hint: 'Undo the change in keyturn.yaml, or import the key of the new account once no old one is in grace or debt: `keyturn import ID --replace`.',
  },
  'KT-ROLLBACK-REFUSED': { exit: 5, retryable: false, hint: '`keyturn status ID` shows which versions are left.' },
  'KT-STORE-UNAVAILABLE': { exit: 6, retryable: true, hint: 'Bring the store back; keyturn goes on by itself.' },
  'KT-STORE-CORRUPT': {
    exit: 1,
    retryable: false,
    hint: 'Do not delete anything: restore the store from its backup, or the key file that belongs to it.',
  },
  'KT-STORE-BEHIND': {
    exit: 3,
    retryable: false,
    hint: 'The store is older than what the workflow knows: was a backup restored? See the runbook before doing anything.',
  },
  'KT-STORE-FOREIGN': {
    exit: 5,
    retryable: false,
    hint: 'This worker uses the store of another installation: check `store` in keyturn.yaml.',
  },
  'KT-KEY-FILE': {
    exit: 2,
    retryable: false,
    hint: 'The key file must exist, belong to you and have mode 0600: `chmod 600 FILE`.',
  },
  'KT-KEY-IN-USE': {
    exit: 5,
    retryable: false,
    hint: 'Something still needs this key; `keyturn keys rewrap` seals the store anew with the current one.',
  },
  'KT-TEMPORAL-UNREACHABLE': {
    exit: 6,
    retryable: true,
    hint: 'Start Temporal or mend `temporal.address`; `keyturn dev` brings its own.',
  },
  'KT-TEMPORAL-NAMESPACE': { exit: 2, retryable: false, hint: 'Create the namespace or mend `temporal.namespace`.' },
  'KT-NO-WORKER': { exit: 6, retryable: true, hint: 'Start a worker: `keyturn worker`.' },
  'KT-NOT-RUNNING': { exit: 5, retryable: false, hint: 'Run `keyturn apply` to start the credential’s workflow.' },
  'KT-TIMEOUT': { exit: 7, retryable: true, hint: 'The work goes on: `keyturn status ID --watch`.' },
  'KT-PROVIDER-UNREACHABLE': {
    exit: 6,
    retryable: true,
    hint: 'Check the base URL and the network; the current key goes on working.',
  },
  'KT-PROVIDER-ERROR': { exit: 6, retryable: true, hint: 'The provider failed; keyturn tries again by itself.' },
  'KT-PROVIDER-BUSY': { exit: 6, retryable: true, hint: 'The provider asks to wait; keyturn tries again by itself.' },
  'KT-PROVIDER-MAINTENANCE': {
    exit: 6,
    retryable: true,
    hint: 'The provider does not make keys during maintenance; keyturn tries again by itself.',
  },
  'KT-PROVIDER-REJECTED': {
    exit: 1,
    retryable: false,
    hint: 'The provider refused the request for good: check the settings of this credential.',
  },
  'KT-PROVIDER-ANSWER': {
    exit: 6,
    retryable: true,
    hint: 'The answer was not what the provider documents: check that the base URL is right (Mambu: it ends in /api).',
  },
  'KT-CREDENTIAL-REFUSED': { exit: 4, retryable: false, hint: 'Import the right key: `keyturn import ID --replace`.' },
  'KT-FORBIDDEN': { exit: 4, retryable: false, hint: 'Grant the named permission to the API consumer.' },
  'KT-CONSUMER-GONE': {
    exit: 3,
    retryable: false,
    hint: 'The account that owns the key does not exist any more: create it anew, then `keyturn import ID --replace`.',
  },
  'KT-LOCKOUT-BUDGET': {
    exit: 3,
    retryable: false,
    hint: '`keyturn lockout ID` shows who spent it; import a working key, or reset after the IP was unblocked.',
  },
  'KT-LOCKED-OUT': {
    exit: 3,
    retryable: false,
    hint: 'Unblock the IP in the provider’s console, then `keyturn lockout ID --reset --reason TEXT`.',
  },
  'KT-OUTCOME-UNKNOWN': {
    exit: 3,
    retryable: false,
    hint: 'keyturn recovers by itself as far as it can; `keyturn status ID` says what is left.',
  },
  'KT-NEW-KEY-REFUSED': {
    exit: 1,
    retryable: true,
    hint: 'The new key was removed again, the old one goes on working; the next attempt is planned.',
  },
  'KT-SCOPE-DIFFERS': {
    exit: 3,
    retryable: false,
    hint: 'The new key may do less or more than the old one: compare both at the provider.',
  },
  'KT-APPROVAL-NEEDED': {
    exit: 3,
    retryable: true,
    hint: 'Approve what `keyturn status ID` names at the provider: the rotation goes on by itself.',
  },
  'KT-MANAGEMENT-AUTH': {
    exit: 4,
    retryable: true,
    hint: 'Mend what `auth` of the credential or source refers to; keyturn tries again by itself.',
  },
  'KT-KEY-TAKEN': {
    exit: 5,
    retryable: true,
    hint: 'The value that was drawn for the new key is in use by another key: the next attempt draws another one.',
  },
  'KT-CAPABILITY-LOST': {
    exit: 3,
    retryable: false,
    hint: 'Make a new key at the provider and import it before the deadline: `keyturn import ID --replace`.',
  },
  'KT-UNVERIFIED': {
    exit: 3,
    retryable: false,
    hint: 'The published key was never seen to work: test it, then import or rotate.',
  },
  'KT-KEY-MISSING': {
    exit: 3,
    retryable: false,
    hint: 'The current key was deleted, revoked or regenerated by hand: `keyturn reconcile ID`, then import a working one with --replace.',
  },
  'KT-WRONG-TENANT': {
    exit: 3,
    retryable: false,
    hint: 'None of our keys is at this address: check the base URL (a cloned sandbox?) before anything else.',
  },
  'KT-DRIFT': {
    exit: 3,
    retryable: false,
    hint: 'An old key was removed or revoked by hand: `keyturn reconcile ID` closes what is provably gone.',
  },
  'KT-SUSPECTED-ORPHAN': {
    exit: 3,
    retryable: false,
    hint: 'A key at the provider may be ours: `keyturn reconcile ID --delete KEYID` after you have checked.',
  },
  'KT-DEBT': { exit: 3, retryable: true, hint: 'An old key could not be removed yet; keyturn tries again by itself.' },
  'KT-PROOF-LOST': {
    exit: 3,
    retryable: false,
    hint: 'Grant the named permission; rotations go on without this proof until then.',
  },
  'KT-LEAKED': {
    exit: 3,
    retryable: false,
    hint: 'The current key has leaked and is not replaced yet: `keyturn status ID`.',
  },
  'KT-DIES-EARLY': {
    exit: 3,
    retryable: false,
    hint: 'The provider ends the old key before every consumer has confirmed: make them re-read now, or lengthen the tenant’s grace.',
  },
  'KT-SUPERSEDED': { exit: 1, retryable: true, hint: 'A compromise took precedence; its own rotation goes next.' },
  'KT-NOT-IN-CONFIG': {
    exit: 3,
    retryable: false,
    hint: 'Put the credential back into keyturn.yaml, or close it with `keyturn apply --prune`.',
  },
  'KT-PAUSED': { exit: 5, retryable: false, hint: '`keyturn resume ID`.' },
  'KT-ARAZZO-DOCUMENT': {
    exit: 2,
    retryable: false,
    hint: 'Mend the named places; `keyturn arazzo check FILE` lists everything. Nothing was sent.',
  },
  'KT-ARAZZO-SECRET': {
    exit: 2,
    retryable: false,
    hint: 'Revoke a value that came in clear, and start runs with `keyturn arazzo run`, which seals secrets. Nothing was sent.',
  },
  'KT-ARAZZO-STEP': {
    exit: 1,
    retryable: false,
    hint: 'See what the steps before it did, undo it or finish by hand, and start a new run with a mended document or input.',
  },
  'KT-ARAZZO-LIMIT': {
    exit: 1,
    retryable: false,
    hint: 'The run would need more than a run may use: fewer steps, or smaller outputs.',
  },
  'KT-ARAZZO-UNKNOWN': {
    exit: 3,
    retryable: false,
    hint: 'Find out at the API whether the request was executed, then `keyturn arazzo resolve WORKFLOW-ID --step S --decision retry|skip|abort`.',
  },
  'KT-INTERRUPTED': {
    exit: 130,
    retryable: true,
    hint: 'What was asked for before goes on: `keyturn status ID`.',
  },
  'KT-WEBHOOK-UNDELIVERED': {
    exit: 1,
    retryable: true,
    hint: 'Check the URL, the consumer id and the header that `webhooks.mambu.auth` asks for.',
  },
} as const satisfies Record<string, { exit: number; retryable: boolean; hint: string }>;

export type ErrorCode = keyof typeof errorTable;

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

/** An error of keyturn's own: its message is secret-free and names the place; the hint of its code names the mend. */
export class KeyturnError extends Error {
  override readonly name = 'KeyturnError';
  readonly code: ErrorCode;
  /** Replaces the table's hint where the place allows a better one. */
  readonly hint: string;
  constructor(code: ErrorCode, message: string, options: { hint?: string } = {}) {
    super(message);
    this.code = code;
    this.hint = options.hint ?? errorTable[code].hint;
  }
}
