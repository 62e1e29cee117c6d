/** Where Temporal is: flag > TEMPORAL_* > keyturn.yaml > temporal.toml profile > default. */
import {
  loadClientConfigProfile,
  toClientOptions,
  type ClientConfigProfile,
  type LoadClientProfileOptions,
} from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { Config } from './config.js';
import { KeyturnError } from './domain/errors.js';

export interface TemporalFlags {
  readonly address?: string;
  readonly namespace?: string;
  /** Demo and tests: neither TEMPORAL_* nor profiles are looked at. */
  readonly ignoreAmbient?: boolean;
}

export interface TemporalTarget {
  readonly connection: NativeConnectionOptions;
  readonly address: string;
  readonly namespace: string;
}

export const DEFAULT_ADDRESS = '127.0.0.1:7233';
export const DEFAULT_NAMESPACE = 'default';

/** @throws KeyturnError KT-CONFIG when a profile or variable cannot be read */
export function temporalTarget(config: Pick<Config, 'temporal'>, flags: TemporalFlags): TemporalTarget {
  const ambient = flags.ignoreAmbient === true;
  const fromEnv = ambient ? {} : profile({ disableFile: true });
  const fromFile = ambient ? {} : profile({ disableEnv: true, ...profileFlag() });
  const merged = {
    ...fromFile,
    ...defined({ address: config.temporal.address, namespace: config.temporal.namespace }),
    ...defined(fromEnv),
  };
  const address = flags.address ?? merged.address ?? DEFAULT_ADDRESS;
  const namespace = flags.namespace ?? merged.namespace ?? DEFAULT_NAMESPACE;
  const { connectionOptions } = toClientOptions({ ...merged, address, namespace });
  return { connection: { ...connectionOptions, address }, address, namespace };
}

function profile(options: LoadClientProfileOptions): ClientConfigProfile {
  try {
    return loadClientConfigProfile(options);
  } catch (error) {
    const why = error instanceof Error && error.name === 'Error' ? `: ${error.message}` : '';
    throw new KeyturnError('KT-CONFIG', `the Temporal profile cannot be read${why}`, {
      hint: 'Mend temporal.toml, TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE or the TEMPORAL_* variable it names.',
    });
  }
}

/** Which profile to read is said by the environment even where its other variables come first. */
function profileFlag(): { profile?: string; configSource?: { path: string } } {
  const { TEMPORAL_PROFILE: profile, TEMPORAL_CONFIG_FILE: file } = process.env;
  return { ...(profile ? { profile } : {}), ...(file ? { configSource: { path: file } } : {}) };
}

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Whether anything names a Temporal server: the configuration, the environment or a profile. */
export function isTemporalConfigured(config: Pick<Config, 'temporal'>): boolean {
  const ambient = profile(profileFlag()).address;
  return config.temporal.address !== undefined || ambient !== undefined;
}
