#!/usr/bin/env node
import { runCli } from './program.js';

const { stdin, stdout, stderr, env, argv } = process;
// `keyturn status | head`: whoever read has left.
stdout.on('error', () => process.exit(0));

const exit = await runCli(argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  onSignal(signals, react) {
    for (const signal of signals) process.on(signal, react);
    return () => {
      for (const signal of signals) process.off(signal, react);
    };
  },
});
// Both streams are written synchronously to files, pipes and terminals on POSIX, so nothing is cut off.
process.exit(exit);
