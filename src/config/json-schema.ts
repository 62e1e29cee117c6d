import { z } from 'zod';
import { strictShape } from '../providers/schemas.js';
import { pluginsSchema } from './plugins.js';
import { providerBlocks } from './providers.js';
import * as sections from './schema.js';

/** The JSON Schema (draft 2020-12) of keyturn.yaml, for editors. It knows shapes only; the rules between parts are parseConfig's. */
export function configJsonSchema(): object {
  const blocks = Object.fromEntries([...providerBlocks].map(([name, { published }]) => [name, published]));
  const connections = [...providerBlocks.keys()].map((name) => z.looseObject({ provider: z.literal(name) }));
  // A plug-in's own schema is known where it is imported.
  const settings = z.record(z.string(), z.unknown());
  const plugged = z.looseObject({ provider: strictShape({ module: z.string() }) });
  const file = strictShape({
    version: z.literal(1),
    temporal: sections.temporalSchema,
    store: sections.storeSchema,
    sealingKey: sections.sealingKeySchema,
    server: sections.serverSchema,
    worker: sections.workerSchema,
    lockout: sections.lockoutSchema,
    timing: sections.timingSchema,
    webhooks: sections.webhooksSchema,
    connections: z.record(z.string(), z.union([...connections, plugged])),
    policies: z.record(z.string(), sections.policySchema),
    plugins: pluginsSchema,
    arazzo: sections.arazzoSchema,
    credentials: z.record(
      sections.idSchema,
      strictShape({ ...sections.credentialShape, ...blocks, settings }).partial(),
    ),
  });
  return z.toJSONSchema(file.partial().required({ version: true }), {
    io: 'input',
    // A connection may hold any of the provider's settings, so the credential need not.
    override: ({ zodSchema, jsonSchema }) => {
      if (Object.values(blocks).some((block) => innermost(block) === zodSchema)) delete jsonSchema.required;
    },
  });
}

/** The object below transforms. */
function innermost(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodPipe ? innermost(schema.in) : schema;
}
