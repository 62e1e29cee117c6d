import { quoted } from './failure.js';

export const unknownWorkflow = (text: string): string =>
  text.startsWith('$sourceDescriptions.')
    ? 'workflows of other documents are not supported: copy the workflow into this document'
    : `there is no workflow ${quoted(text)}`;
