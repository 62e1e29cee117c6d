import { runCommand } from './run-command.js';

/** The Temporal CLI that keyturn downloads or builds; tools/temporal/go.mod requires the same one. */
export const temporalCliVersion = '1.8.2';

/** A CLI built from source calls itself 0.0.0-DEV; then its server's version decides (CLI 1.5 carries server 1.29). */
const oldestCli = [1, 5] as const;
const oldestServer = [1, 29] as const;

/**
 * Asks a Temporal CLI for its version.
 * @returns what it says, for example `temporal version 1.8.2 (Server 1.31.2, UI 2.50.1)`
 * @throws Error when it does not answer within 10 s or is too old
 */
export async function checkTemporalCli(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  const answer = (await runCommand(path, ['--version'], { env, timeoutMs: 10_000 })).trim();
  if (!isNewEnough(answer))
    throw new Error(`too old or unknown (“${answer}”): CLI >= ${oldestCli.join('.')} is needed`);
  return answer;
}

function isNewEnough(answer: string): boolean {
  const cli = /version v?(\d+)\.(\d+)\.\d+(-DEV)?/.exec(answer);
  if (!cli) return false;
  if (!cli[3]) return isAtLeast(cli, oldestCli);
  const server = /Server v?(\d+)\.(\d+)/.exec(answer);
  return server !== null && isAtLeast(server, oldestServer);
}

function isAtLeast(found: RegExpExecArray, oldest: readonly [number, number]): boolean {
  const [major, minor] = [Number(found[1]), Number(found[2])];
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}
