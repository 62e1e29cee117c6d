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
// A command may have left connections open; only what it has written is waited for.
stdout.write('', () => process.exit(exit));
