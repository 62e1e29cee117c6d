import type { RetrieveConfigurationInput, RetrievedConfiguration } from '../contract.js';
import { requests } from './activities.js';

/** What a process needs to know for a call: base URL, version, key id, settings. Never a secret. */
export async function retrieveConfiguration(input: RetrieveConfigurationInput): Promise<RetrievedConfiguration> {
  return requests('read the current version').retrieveConfiguration({ credentialId: input.credentialId });
}
