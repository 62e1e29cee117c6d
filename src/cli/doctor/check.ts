import { asKeyturnError } from '../run.js';

/** One thing that doctor has looked at. */
export interface Check {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly message: string;
  /** What to do about it, where it is not ok. */
  readonly mend?: string;
}

export const ok = (check: string, message: string): Check => ({ check, status: 'ok', message });
export const warn = (check: string, message: string, mend: string): Check => ({ check, status: 'warn', message, mend });
export const fail = (check: string, message: string, mend: string): Check => ({ check, status: 'fail', message, mend });

/** A failure in the words of the one table of errors. */
export function failed(check: string, error: unknown, status: 'warn' | 'fail' = 'fail'): Check {
  const { message, hint } = asKeyturnError(error);
  return { check, status, message, mend: hint };
}

/** What `look` finds; that it throws is a finding, too. */
export async function looked(check: string, look: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await look();
  } catch (error) {
    return [failed(check, error)];
  }
}
