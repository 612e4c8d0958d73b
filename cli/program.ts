/** Runs a command line and turns how it went into an exit status and, at most, one line on standard error. */

import { CommanderError, type Command } from 'commander';
import { EXIT, exitStatus, failureLine, oneLine } from './failure.ts';

/**
 * Settings of a program that `runProgram` can run; subcommands made afterwards inherit them. Returns it.
 * @param program before it has subcommands
 */
export function quiet(program: Command): Command {
  return program.exitOverride().configureOutput({ writeErr: () => {} });
}

/** Parses `args`, runs the command they name, and gives the exit status. Interrupted work is no error to print. */
export async function runProgram(program: Command, args: readonly string[], signal?: AbortSignal): Promise<number> {
  // A reader that has had enough, such as `head`, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const fail = (message: string, status: number) => {
    process.stderr.write(`${program.name()}: ${message}\n`);
    return status;
  };
  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (signal?.aborted) return EXIT.interrupted;
    if (!(error instanceof CommanderError)) return fail(failureLine(error), exitStatus(error));
    if (error.exitCode === 0) return EXIT.ok; // --help, --version
    // Without a command, commander means to print the help as an error.
    if (error.code === 'commander.help') return fail(`which command? See ${program.name()} --help`, EXIT.input);
    return fail(oneLine(error.message).replace(/^error: /, ''), EXIT.input);
  }
}
