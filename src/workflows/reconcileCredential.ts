import type { CredentialInput, ReconciledCredential } from '../contract.js';
import { requests } from './activities.js';

/** Started by a daily Schedule: compares provider, store and workflow, changes nothing, and has the entity raise attention. */
export async function reconcileCredential({ credentialId }: CredentialInput): Promise<ReconciledCredential> {
  return requests('compare provider, store and workflow').compareKeys({ credentialId });
}
