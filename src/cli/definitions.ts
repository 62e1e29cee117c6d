import { InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../domain/duration.js';
import type { ArazzoDecision } from '../domain/arazzo.js';
import type { RequestReason } from '../domain/request.js';

/**
 * Arguments and flags of each command, as its file `commands/<key>.ts` gets them. Keep in step with `definitions` below,
 * which is what the command line is parsed by. Durations are milliseconds.
 */
export interface Commands {
  init: Plain;
  import: OfCredential<{ readonly replace?: true; readonly revokeOld?: true }>;
  apply: Command<readonly [], { readonly dryRun?: true; readonly prune?: true }>;
  worker: Plain;
  serve: Plain;
  dev: Plain;
  demo: Command<readonly [], { readonly keep?: true }>;
  rotate: OfCredential<{
    readonly reason: RequestReason;
    readonly leakedVersion?: number;
    readonly requestId?: string;
    readonly wait?: true;
    readonly timeout?: number;
    readonly dryRun?: true;
  }>;
  status: Command<readonly [credentialId?: string], { readonly watch?: true }>;
  history: OfCredential<object>;
  pause: OfCredential<{ readonly reason?: string }>;
  resume: OfCredential<object>;
  rollback: OfCredential<{ readonly toVersion?: number }>;
  ack: OfCredential<{ readonly consumer: string; readonly version: number }>;
  reconcile: OfCredential<{ readonly dryRun?: true; readonly delete?: string }>;
  lockout: Command<readonly [credentialId?: string], { readonly reset?: true; readonly reason?: string }>;
  get: OfCredential<{ readonly field?: string; readonly reveal?: true }>;
  exec: Command<readonly [credentialId: string, ...command: string[]], { readonly keepEnv?: true }>;
  'keys-list': Plain;
  'keys-rotate': Plain;
  'keys-rewrap': Plain;
  'keys-retire': Command<readonly [kid: string], object>;
  doctor: Plain;
  simulate: Command<
    readonly [provider: string],
    {
      readonly port?: number;
      readonly controlPort?: number;
      readonly seed?: readonly string[];
      readonly rule?: readonly Pair[];
    }
  >;
  'webhook-trigger': Command<
    readonly [provider: string],
    { readonly to: string; readonly consumerId: string; readonly header?: readonly Pair[]; readonly times: number }
  >;
  'arazzo-check': Command<readonly [file: string], { readonly source?: readonly Pair[] }>;
  'arazzo-run': Command<
    readonly [file: string],
    {
      readonly workflow: string;
      readonly inputs?: string;
      readonly source?: readonly Pair[];
      readonly server?: readonly Pair[];
      readonly secret?: readonly string[];
      readonly wait?: true;
      readonly timeout?: number;
    }
  >;
  'arazzo-resolve': Command<
    readonly [workflowId: string],
    { readonly step: string; readonly decision: ArazzoDecision }
  >;
}

interface Command<Args extends readonly unknown[], Flags> {
  readonly args: Args;
  readonly flags: Flags;
}
type Plain = Command<readonly [], object>;
type OfCredential<Flags> = Command<readonly [credentialId: string], Flags>;

export type CommandName = keyof Commands;
export type Pair = readonly [key: string, value: string];

export interface Definition {
  readonly name: CommandName;
  /** Words of the command line; default: the name. */
  readonly words?: readonly [group: string, groupSummary: string, word: string];
  readonly summary: string;
  readonly args?: readonly (readonly [syntax: string, meaning: string, choices?: readonly string[]])[];
  readonly flags?: readonly Option[];
  /** It ends by itself after SIGINT or SIGTERM, when `context.signal` tells it; others are cut off by SIGINT. */
  readonly endsItself?: true;
  /** It reacts to signals itself, with `context.onSignal`. */
  readonly takesSignals?: true;
}

const id = ['<id>', 'credential of keyturn.yaml'] as const;
const optionalId = ['[id]', 'credential of keyturn.yaml; default: all'] as const;
const simulated = ['<provider>', 'what to imitate', ['mambu', 'apigee']] as const;
const mambuOnly = ['<provider>', 'what to imitate', ['mambu']] as const;
const arazzoFile = ['<file>', 'Arazzo 1.0 document, YAML or JSON'] as const;
const arazzoGroup = 'run documents of the Arazzo Specification';
const flag = (syntax: string, meaning: string): Option => new Option(syntax, meaning);
const source = (): Option =>
  flag(
    '--source <name=file>',
    'description of a source, may be repeated; default: its url beside the document',
  ).argParser(pairs);
const port = (syntax: string, meaning: string): Option => flag(syntax, meaning).argParser(wholeNumber(0, 65_535));
const version = (syntax: string, meaning: string): Option =>
  flag(syntax, meaning).argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER));

export const definitions: readonly Definition[] = [
  { name: 'init', summary: 'write keyturn.yaml, the key file and .keyturn/.gitignore; overwrites nothing' },
  {
    name: 'import',
    summary: 'seal an existing key without rotating it; reads one JSON object from stdin, or asks',
    args: [id],
    flags: [
      flag('--replace', 'as the next version; mends a lost ability to rotate'),
      flag('--revoke-old', 'with --replace: retire the replaced version after its grace'),
    ],
  },
  {
    name: 'apply',
    summary: 'start missing workflows and bring the Schedules in line with keyturn.yaml',
    flags: [
      flag('--dry-run', 'only say what would change; exit 3 if anything would'),
      flag('--prune', 'close credentials that are not in keyturn.yaml any more'),
    ],
  },
  { name: 'worker', summary: 'run the Temporal worker', endsItself: true },
  { name: 'serve', summary: 'run the HTTP server: page, API, metrics, webhooks', endsItself: true },
  { name: 'dev', summary: 'Temporal, worker, server and apply in one process', endsItself: true },
  {
    name: 'demo',
    summary: 'one full rotation against a simulator, in a temporary folder',
    flags: [flag('--keep', 'stay up afterwards')],
    endsItself: true,
  },
  {
    name: 'rotate',
    summary: 'ask for a rotation',
    args: [id],
    flags: [
      flag('--reason <reason>', 'why').choices(['routine', 'compromise']).default('routine'),
      version('--leaked-version <n>', 'with --reason compromise: the version that leaked; default: every living one'),
      flag('--request-id <id>', 'one id, one rotation; default: a new one'),
      flag('--wait', 'wait for the outcome'),
      flag('--timeout <duration>', 'with --wait: how long, for example 10m').argParser(duration),
      flag('--dry-run', 'print the plan; only reads, with a proven key'),
    ],
  },
  {
    name: 'status',
    summary: 'which key is current, which is dying, when, and what it waits for',
    args: [optionalId],
    flags: [flag('--watch', 'go on showing changes')],
  },
  { name: 'history', summary: 'the last 50 rotations, from the store', args: [id] },
  {
    name: 'pause',
    summary: 'begin no routine rotation until resume',
    args: [id],
    flags: [flag('--reason <text>', 'shown by status')],
  },
  { name: 'resume', summary: 'undo pause', args: [id] },
  {
    name: 'rollback',
    summary: 'publish a previous key again, as a new version, within its grace',
    args: [id],
    flags: [version('--to-version <n>', 'default: the newest previous version')],
  },
  {
    name: 'ack',
    summary: 'say that a consumer uses a version and none that is older',
    args: [id],
    flags: [
      flag('--consumer <name>', 'consumer of the policy').makeOptionMandatory(),
      version('--version <n>', 'version that it uses').makeOptionMandatory(),
    ],
  },
  {
    name: 'reconcile',
    summary: 'compare provider and store; delete a suspected orphan by name',
    args: [id],
    flags: [
      flag('--dry-run', 'only say what differs'),
      flag('--delete <keyid>', 'delete this suspected orphan at the provider'),
    ],
  },
  {
    name: 'lockout',
    summary: 'the budget of invalid-credential calls',
    args: [optionalId],
    flags: [
      flag('--reset', 'after the IP was unblocked at the provider'),
      flag('--reason <text>', 'with --reset: kept in the store'),
    ],
  },
  {
    name: 'get',
    summary: 'the current key, masked',
    args: [id],
    flags: [
      flag('--field <name>', 'one field, for example apiKey'),
      flag('--reveal', 'in clear; leaves an access record'),
    ],
  },
  {
    name: 'exec',
    summary: 'run a command with the current key in its environment: keyturn exec ID -- CMD…',
    args: [id, ['<command...>', 'what to run, after --']],
    flags: [flag('--keep-env', 'keep the variables that keyturn.yaml refers to and TEMPORAL_*')],
    takesSignals: true,
  },
  {
    name: 'keys-list',
    words: ['keys', 'the sealing keys in the key file', 'list'],
    summary: 'each sealing key, since when, and how much of the store it has sealed',
  },
  {
    name: 'keys-rotate',
    words: ['keys', 'the sealing keys in the key file', 'rotate'],
    summary: 'add a sealing key that seals from now on; old ones go on opening',
  },
  {
    name: 'keys-rewrap',
    words: ['keys', 'the sealing keys in the key file', 'rewrap'],
    summary: 'seal the whole store anew with the current key, while workers go on',
  },
  {
    name: 'keys-retire',
    words: ['keys', 'the sealing keys in the key file', 'retire'],
    summary: 'remove an old sealing key that nothing needs any more',
    args: [['<kid>', 'id of the key, as `keys list` shows it']],
  },
  { name: 'doctor', summary: 'check everything, each failure with its mend' },
  {
    name: 'simulate',
    summary: 'a strict simulator with fault injection, until SIGTERM',
    args: [simulated],
    flags: [
      port('--port <port>', 'of the API; default: any free one'),
      port('--control-port <port>', 'of the control API (/oracle /faults /clock /reset); default: any free one'),
      flag('--seed <id>', 'consumer (may be repeated; default: rotator) or Apigee app to start with').argParser(texts),
      flag('--rule <key=value>', 'a knob, may be repeated, for example graceMs=2000 or dialect=edge').argParser(pairs),
    ],
    endsItself: true,
  },
  {
    name: 'webhook-trigger',
    words: ['webhook', 'send webhooks as a provider does', 'trigger'],
    summary: 'send what the provider sends at the end of day',
    args: [mambuOnly],
    flags: [
      flag('--to <url>', 'for example http://127.0.0.1:8377/webhooks/mambu').makeOptionMandatory(),
      flag('--consumer-id <id>', 'value of the header apiConsumerId').makeOptionMandatory(),
      flag('--header <key=value>', 'another header, may be repeated; key=@FILE reads its value').argParser(pairs),
      flag('--times <n>', 'how many different notifications').argParser(wholeNumber(1, 1_000)).default(1),
    ],
  },
  {
    name: 'arazzo-check',
    words: ['arazzo', arazzoGroup, 'check'],
    summary: 'say everything that is wrong with an Arazzo document; sends nothing',
    args: [arazzoFile],
    flags: [source()],
  },
  {
    name: 'arazzo-run',
    words: ['arazzo', arazzoGroup, 'run'],
    summary: 'run a workflow of an Arazzo document durably; secrets are sealed before it starts',
    args: [arazzoFile],
    flags: [
      flag('--workflow <id>', 'workflow of the document').makeOptionMandatory(),
      flag('--inputs <file>', 'JSON object with its inputs, - for stdin; default: none'),
      source(),
      flag('--server <name=url>', 'base URL of a source, may be repeated; default: arazzo.sources').argParser(pairs),
      flag('--secret <name>', 'an input to seal beside those that are known as secrets, may be repeated').argParser(
        texts,
      ),
      flag('--wait', 'wait for the outcome'),
      flag('--timeout <duration>', 'with --wait: how long, for example 10m').argParser(duration),
    ],
  },
  {
    name: 'arazzo-resolve',
    words: ['arazzo', arazzoGroup, 'resolve'],
    summary: 'decide about a step whose outcome is unknown',
    args: [['<workflow-id>', 'of the run, as `arazzo run` has printed it']],
    flags: [
      flag('--step <id>', 'step that waits').makeOptionMandatory(),
      flag('--decision <decision>', 'send it again, count it as done, or end the run')
        .choices(['retry', 'skip', 'abort'])
        .makeOptionMandatory(),
    ],
  },
];

export const globalFlags = (): readonly Option[] => [
  flag('-c, --config <file>', 'default: keyturn.yaml'),
  flag('--json', 'one JSON object on stdout'),
  flag('--address <host:port>', 'of Temporal'),
  flag('--namespace <name>', 'of Temporal'),
];

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as 250ms, 10s, 5m, 6h or 30d.');
  return ms;
}

function texts(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function pairs(text: string, before: readonly Pair[] = []): readonly Pair[] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return [...before, [text.slice(0, at), text.slice(at + 1)]];
}
