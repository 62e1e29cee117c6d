/** An installation whose one credential is a key of a developer app, with the simulated Apigee organization that it lives in. */
import { onTestFinished as onThisTestFinished } from 'vitest';
import { Secret } from '../../src/domain/secret.js';
import {
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../../src/simulators/apigee/index.js';
import { homeOf, type Home, type HomeOptions } from './installation.js';

export interface ApigeeInstallationOptions extends HomeOptions {
  readonly dialect?: 'x' | 'edge';
  readonly rules?: ApigeeSimulatorOptions['rules'];
  readonly seed?: ApigeeSimulatorOptions['seed'];
  /** Over the `apigee:` block. */
  readonly apigee?: Record<string, unknown> | ((simulator: ApigeeSimulator) => Record<string, unknown>);
}

export interface ApigeeInstallation extends Home {
  readonly simulator: ApigeeSimulator;
}

let tokens = 0;

export async function apigeeInstallation(options: ApigeeInstallationOptions = {}): Promise<ApigeeInstallation> {
  const { dialect = 'x', rules, seed, onTestFinished = onThisTestFinished } = options;
  const simulator = await startApigeeSimulator({ rules: { ...rules, dialect }, seed });
  onTestFinished(() => simulator.close());
  const { organization, developer, appGroup, app, consumerKey, consumerSecret, accessToken } = simulator.seeded;
  const variable = `KEYTURN_TEST_APIGEE_TOKEN_${process.pid}_${(tokens += 1)}`;
  process.env[variable] = accessToken;
  onTestFinished(() => void delete process.env[variable]);
  const block = {
    baseUrl: simulator.managementUrl,
    dialect,
    organization,
    ...(appGroup === null ? { developer } : { appGroup }),
    app,
    auth: { kind: 'bearer', token: `\${env:${variable}}` },
    ...(typeof options.apigee === 'function' ? options.apigee(simulator) : options.apigee),
  };
  const first = {
    keyId: consumerKey,
    fields: { consumerKey: new Secret(consumerKey), consumerSecret: new Secret(consumerSecret) },
  };
  const home = await homeOf({ provider: 'apigee', apigee: block }, first, options);
  return { ...home, simulator };
}
