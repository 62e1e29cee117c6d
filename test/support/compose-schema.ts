/** As much of the Compose specification as docker-compose.yml uses, strict: a key that is not here is a mistake or has to be added. */
import { z } from 'zod';

const duration = z.string().regex(/^(\d+(h|m|s|ms))+$/);
const size = z.string().regex(/^\d+[bkmg]$/);
const words = z.array(z.string().min(1)).min(1);

const mount = z
  .string()
  .regex(/^(\.\/[^:]+|[a-z][a-z0-9-]*):\/[^:]+(:ro)?$/)
  .transform((text) => {
    const [source = '', target = '', mode] = text.split(':');
    return { source, target, isFile: source.startsWith('./'), readOnly: mode === 'ro' };
  });

const port = z
  .string()
  .regex(/^[^:]+:(\$\{[A-Z_]+:-\d+\}|\d+):\d+$/)
  .transform((text) => ({
    host: text.slice(0, text.indexOf(':')),
    container: Number(text.slice(text.lastIndexOf(':') + 1)),
  }));

const healthcheck = z.strictObject({
  test: z.tuple([z.enum(['CMD', 'CMD-SHELL']), z.string()], z.string()),
  interval: duration,
  timeout: duration,
  retries: z.int().min(1),
  start_period: duration,
});

const service = z.strictObject({
  image: z.string(),
  build: z.string().optional(),
  command: words.optional(),
  entrypoint: words.optional(),
  environment: z.record(z.string().regex(/^[A-Z_]+$/), z.string()).default({}),
  ports: z.array(port).default([]),
  volumes: z.array(mount).default([]),
  secrets: z.array(z.strictObject({ source: z.string(), target: z.string().startsWith('/') })).default([]),
  networks: words,
  depends_on: z
    .record(
      z.string(),
      z.strictObject({ condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']) }),
    )
    .default({}),
  healthcheck: healthcheck.optional(),
  restart: z.string().regex(/^(no|always|unless-stopped|on-failure(:\d+)?)$/),
  init: z.boolean().optional(),
  user: z
    .string()
    .regex(/^\d+:\d+$/)
    .optional(),
  read_only: z.boolean().optional(),
  tmpfs: words.optional(),
  cap_drop: words.optional(),
  security_opt: words,
  ulimits: z.strictObject({ core: z.int() }),
  shm_size: size.optional(),
  stop_grace_period: duration.optional(),
});

export const composeSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/),
  services: z.record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/), service),
  secrets: z.record(z.string(), z.strictObject({ file: z.string().startsWith('./') })),
  volumes: z.record(z.string(), z.null()),
  networks: z.record(z.string(), z.strictObject({ internal: z.boolean() }).nullable()),
});

export type ComposeFile = z.output<typeof composeSchema>;
