/** A consumer that re-reads its key every second and calls with it, and an observer that notes which keys are accepted when. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Vault } from '../compose.js';
import { revokeAtMs } from '../domain/retirement.js';
import type { Secret } from '../domain/secret.js';

const EVERY_MS = 200;
const REFRESH_EVERY = 5;

interface Mark {
  readonly atMs: number;
  readonly accepted: ReadonlyMap<number, boolean>;
  readonly current: number;
}

export class Overlap {
  calls = 0;
  failures = 0;
  readonly #marks: Mark[] = [];
  #stopped = false;
  #running: Promise<void> | null = null;

  constructor(
    private readonly vault: Vault,
    private readonly credentialId: string,
    private readonly baseUrl: string,
  ) {}

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** A few more looks at the end state. */
  async settle(): Promise<void> {
    await sleep(4 * EVERY_MS);
    await this.stop();
  }

  async #run(): Promise<void> {
    const keys = new Map<number, Secret>();
    let held = 0;
    for (let round = 0; !this.#stopped; round++) {
      const opened = await this.vault.custody.read(this.credentialId);
      const current = opened?.record.versions.find((v) => v.stage === 'current');
      for (const v of opened?.record.versions ?? []) {
        const key = opened?.shelf.versions[String(v.version)]?.fields['apiKey'];
        if (key && v.stage !== 'pending') keys.set(v.version, key);
      }
      if (round % REFRESH_EVERY === 0) held = current?.version ?? held;
      // A key about to be revoked is not tried any more: a call with a dead key would cost a strike.
      const soonMs = Date.now() + 2 * EVERY_MS;
      const living = (opened?.record.versions ?? []).filter(
        (v) => v.stage === 'current' || (v.retirement && revokeAtMs(v.retirement) > soonMs),
      );
      const accepted = new Map<number, boolean>();
      for (const version of new Set([...living.map((v) => v.version), held]))
        accepted.set(version, await this.#accepts(keys.get(version)));
      this.calls += 1;
      if (accepted.get(held) !== true) this.failures += 1;
      this.#marks.push({ atMs: Date.now(), accepted, current: current?.version ?? 0 });
      await sleep(EVERY_MS);
    }
  }

  async #accepts(key: Secret | undefined): Promise<boolean> {
    if (!key) return false;
    const headers = { apiKey: key.reveal(), accept: 'application/vnd.mambu.v2+json' };
    const answer = await fetch(`${this.baseUrl}/branches?limit=1`, { headers, redirect: 'manual' });
    await answer.arrayBuffer();
    return answer.status === 200;
  }

  /** Time in which the published key was not accepted. */
  get gapMs(): number {
    let gapMs = 0;
    for (const [i, mark] of this.#marks.entries()) {
      if (mark.accepted.get(mark.current) !== true) gapMs += (this.#marks[i + 1]?.atMs ?? mark.atMs) - mark.atMs;
    }
    return gapMs;
  }

  picture(): readonly string[] {
    const versions = [...new Set(this.#marks.flatMap((m) => [...m.accepted.keys()]))].sort((a, b) => a - b);
    const width = 60;
    const at = (column: number): Mark | undefined => this.#marks[Math.floor((column * this.#marks.length) / width)];
    const cell = (version: number, column: number): string => {
      const mark = at(column);
      if (mark?.accepted.get(version) !== true) return ' ';
      return mark.current === version ? '█' : '▒';
    };
    const seconds = ((this.#marks.at(-1)?.atMs ?? 0) - (this.#marks[0]?.atMs ?? 0)) / 1000;
    return [
      ...versions.map((v) => `version ${v}  ${Array.from({ length: width }, (_, c) => cell(v, c)).join('')}`),
      `           █ current   ▒ still accepted, for consumers that have not re-read yet   (${seconds.toFixed(0)} s)`,
    ];
  }
}
