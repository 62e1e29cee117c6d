import { randomEncodedKey } from './random.js';

/** The five placeholders of an end-of-day notification (EndOfDayPlaceholder in Mambu's Java models). */
export interface EodValues {
  START_DATE: string;
  END_DATE: string;
  STATE: string;
  CURRENT_DATE_TIME: string;
  ENCODED_KEY: string;
}

const DEFAULT_TEMPLATE =
  '{"event":"EOD","state":"{STATE}","start":"{START_DATE}","end":"{END_DATE}","key":"{ENCODED_KEY}"}';

/** Fills a tenant's template; any other text in braces stays as it is. */
export function renderEodTemplate(template = DEFAULT_TEMPLATE, given: Partial<EodValues> = {}): string {
  const now = new Date().toISOString();
  const today = now.slice(0, 10);
  const values: EodValues = {
    START_DATE: today,
    END_DATE: today,
    STATE: 'COMPLETE',
    CURRENT_DATE_TIME: now,
    ENCODED_KEY: randomEncodedKey(),
    ...given,
  };
  const isKnown = (name: string): name is keyof EodValues => Object.hasOwn(values, name);
  return template.replaceAll(/\{([A-Z_]+)\}/g, (whole, name: string) => (isKnown(name) ? values[name] : whole));
}
