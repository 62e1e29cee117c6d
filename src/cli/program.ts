import { createRequire } from 'node:module';
import { Argument, Command, CommanderError } from 'commander';
import { type CommandName, type Definition, definitions, globalFlags } from './definitions.js';
import { loaders } from './loaders.js';
import { createOutput } from './output.js';
import { type Context, failed, type Globals, type Io, runAction, type Answer } from './run.js';

/** `run` of a command's file. */
export type LoadedAction = (context: Context, args: readonly unknown[], flags: object) => Promise<Answer | undefined>;

/**
 * Parses and runs one command line. Never throws.
 * @param argv without node and script
 * @param load finds the action of a command
 * @returns the exit code
 */
export async function runCli(
  argv: readonly string[],
  io: Io,
  load: (name: CommandName) => Promise<LoadedAction> = loadAction,
): Promise<number> {
  let exit = 0;
  const program = createProgram(io, async (definition, command, args) => {
    const [credentialId] = isOfCredential(definition) ? args : [];
    exit = await runAction({
      globals: globalsOf(command),
      ...(typeof credentialId === 'string' ? { credentialId } : {}),
      endsItself: definition.endsItself === true,
      takesSignals: definition.takesSignals === true,
      io,
      act: async (context) => (await load(definition.name))(context, args, command.opts()),
    });
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return failed(createOutput({ ...io, json: asksForJson(argv) }), missingCommand(error));
  }
}

function createProgram(
  io: Io,
  act: (definition: Definition, command: Command, args: readonly unknown[]) => Promise<void>,
): Command {
  const program = new Command('keyturn')
    .description('Durable rotation of API credentials on Temporal')
    .version(packageVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => undefined, // said by `failed`
    })
    // `ack ID --version N` is not `keyturn --version`.
    .enablePositionalOptions();
  for (const option of globalFlags()) program.addOption(option);
  for (const definition of definitions) {
    const command = place(program, definition).description(definition.summary);
    for (const [syntax, meaning, choices] of definition.args ?? []) {
      const argument = new Argument(syntax, meaning);
      command.addArgument(choices === undefined ? argument : argument.choices(choices));
    }
    for (const option of [...(definition.flags ?? []), ...globalFlags()]) command.addOption(option);
    command.action(() => act(definition, command, command.processedArgs.flat()));
  }
  return program;
}

function place(program: Command, { name, words }: Definition): Command {
  if (words === undefined) return program.command(name);
  const [group, summary, word] = words;
  const parent = program.commands.find((command) => command.name() === group) ?? program.command(group);
  return parent.description(summary).command(word);
}

/** The table of loaders is typed by name; here the name is one of all, and commander has seen to arguments and flags. */
async function loadAction(name: CommandName): Promise<LoadedAction> {
  const { run } = await loaders[name]();
  return run as LoadedAction;
}

const isOfCredential = ({ args = [] }: Definition): boolean => /^[<[]id[\]>]$/.test(args[0]?.[0] ?? '');

/** A flag may stand before the command or after it; after it wins. */
function globalsOf(command: Command): Globals {
  const given: Partial<Globals> = {};
  for (let at: Command | null = command; at !== null; at = at.parent) Object.assign(given, { ...at.opts(), ...given });
  const { config = 'keyturn.yaml', json = false, address, namespace } = given;
  return {
    config,
    json,
    ...(address === undefined ? {} : { address }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/** Asked of the words themselves, because they could not be parsed. */
const asksForJson = (argv: readonly string[]): boolean => {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
};

/** Without a command, commander shows the help and throws it. */
const missingCommand = (error: unknown): unknown =>
  error instanceof CommanderError && error.code === 'commander.help'
    ? new CommanderError(2, error.code, 'name a command')
    : error;

function packageVersion(): string {
  const { version }: { readonly version: string } = createRequire(import.meta.url)('../../package.json');
  return version;
}
