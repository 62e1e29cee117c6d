/** An installation for one cell: the simulated provider of a strategy, and a home with an imported key in front of it. */
import { Secret } from '../../src/domain/secret.js';
import { freePort } from '../../src/dev/free-port.js';
import { startApigeeSimulator, type ApigeeSimulator } from '../../src/simulators/apigee/index.js';
import { startMambuSimulator, type MambuSimulator } from '../../src/simulators/mambu/index.js';
import { homeOf, type Home, type HomeOptions } from '../support/installation.js';
import type { Strategy } from './surface.js';
import { apigeeTruth, mambuTruth, type Truth } from './truth.js';

export interface Scene extends Home {
  readonly simulator: MambuSimulator | ApigeeSimulator;
  /** Port that the worker's calls go to: the simulator's, or that of the door before it. */
  readonly port: number;
  readonly gate: { readonly port: number; readonly leadsTo: number } | undefined;
  /** What the provider knows. */
  truth(): Truth;
}

interface SceneOptions extends Required<Pick<HomeOptions, 'onTestFinished'>> {
  readonly temporal?: { readonly address: string; readonly namespace: string };
  readonly behindGate: boolean;
}

/** Long enough for a machine that has more to do than it can. */
export const HTTP_TIMEOUT_MS = 3_000;
export const GRACE_MS = 500;
export const REFRESH_WITHIN_MS = 500;

const timing = { httpTimeout: `${HTTP_TIMEOUT_MS}ms`, sendWithin: '5s', settle: '500ms', observe: '300ms' } as const;
const policy = { grace: `${GRACE_MS}ms`, refreshWithin: `${REFRESH_WITHIN_MS}ms` } as const;

export function sceneOf(strategy: Strategy, options: SceneOptions): Promise<Scene> {
  switch (strategy) {
    case 'mambu-create-and-delete':
      return mambuScene('create-and-delete', options);
    case 'mambu-rotation':
      return mambuScene('rotation', options);
    case 'apigee-x':
      return apigeeScene('x', options);
    case 'apigee-edge':
      return apigeeScene('edge', options);
    default:
      return strategy satisfies never;
  }
}

async function mambuScene(strategy: 'create-and-delete' | 'rotation', options: SceneOptions): Promise<Scene> {
  const simulator = await startMambuSimulator();
  options.onTestFinished(() => simulator.close());
  const [seeded] = simulator.seeded;
  if (!seeded) throw new Error('the simulator has no consumer');
  // Somebody else's, which nothing may ever touch.
  simulator.createKey(seeded.consumerId);
  const { port, gate, through } = await wayTo(simulator.baseUrl, options.behindGate);
  const grace = strategy === 'rotation' ? { tenantGrace: '30m' } : {};
  const mambu = { baseUrl: through(simulator.baseUrl), consumerId: seeded.consumerId, strategy, ...grace };
  const first = {
    keyId: seeded.keyId,
    fields: { apiKey: new Secret(seeded.apiKey), secretKey: new Secret(seeded.secretKey) },
  };
  const home = await homeOf({ provider: 'mambu', mambu }, first, { ...options, timing, policy });
  return { ...home, simulator, port, gate, truth: () => mambuTruth(simulator) };
}

let scenes = 0;

async function apigeeScene(dialect: 'x' | 'edge', options: SceneOptions): Promise<Scene> {
  const products = [{ name: 'orders', proxies: ['orders'], approvalType: 'manual' as const }];
  const seed = { products, otherKeys: 1, attributes: [{ name: 'tier', value: 'gold' }] };
  const simulator = await startApigeeSimulator({ rules: { dialect }, seed });
  options.onTestFinished(() => simulator.close());
  const { organization, developer, app, consumerKey, consumerSecret, accessToken, username, password } =
    simulator.seeded;
  const { port, gate, through } = await wayTo(simulator.managementUrl, options.behindGate);
  const variable = `KEYTURN_TEST_FAULTS_${process.pid}_${(scenes += 1)}`;
  process.env[variable] = dialect === 'x' ? accessToken : password;
  options.onTestFinished(() => void delete process.env[variable]);
  const secret = `\${env:${variable}}`;
  const auth =
    dialect === 'x'
      ? { kind: 'bearer', token: secret }
      : { kind: 'edge-oauth', tokenUrl: through(simulator.tokenUrl), username, password: secret };
  const apigee = { baseUrl: through(simulator.managementUrl), dialect, organization, developer, app, auth };
  const first = {
    keyId: consumerKey,
    fields: { consumerKey: new Secret(consumerKey), consumerSecret: new Secret(consumerSecret) },
  };
  const home = await homeOf({ provider: 'apigee', apigee }, first, { ...options, timing, policy });
  return { ...home, simulator, port, gate, truth: () => apigeeTruth(simulator) };
}

interface Way {
  readonly port: number;
  readonly gate: Scene['gate'];
  through(url: string): string;
}

async function wayTo(baseUrl: string, behindGate: boolean): Promise<Way> {
  const leadsTo = Number(new URL(baseUrl).port);
  if (!behindGate) return { port: leadsTo, gate: undefined, through: (url) => url };
  const port = await freePort();
  return { port, gate: { port, leadsTo }, through: (url) => url.replace(`:${leadsTo}`, `:${port}`) };
}
