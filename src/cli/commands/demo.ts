import type { Action } from '../run.js';

/** Everything on this machine; ambient TEMPORAL_* is ignored, so that nobody's production is touched. */
export const run: Action<'demo'> = async (context, _args, flags) => {
  const [{ runDemo }, { createLogger, temporalLogger }, { installRuntime }] = await Promise.all([
    import('../../dev/demo.js'),
    import('../../telemetry/log.js'),
    import('../../telemetry/runtime.js'),
  ]);
  const log = createLogger({ level: 'error' });
  await installRuntime(temporalLogger(log), false);
  const lines: string[] = [];
  const say = (line: string): void => {
    lines.push(line);
    context.out.say(line);
  };
  const result = await runDemo({
    progress: (line) => context.out.say(`  ${line}`),
    say,
    log,
    signal: context.signal,
    keep: flags.keep === true,
  });
  return {
    data: { ...result, story: lines },
    text: `rotated ${result.credentialId}: version ${result.version}, gap ${result.gapMs} ms, ${result.strikes} strikes`,
  };
};
