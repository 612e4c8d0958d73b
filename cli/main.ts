/**
 * The command `compconv`. Results go to standard output; an error is one line on standard error and the exit status 2
 * for what the user gave, 1 for anything else. It ends by itself when nothing is left to do.
 */

import { Command } from 'commander';
import { addBenchCommand } from './commands/bench.ts';
import { addEvalCommand } from './commands/eval.ts';
import { addExportCommand } from './commands/export.ts';
import { addInfoCommand } from './commands/info.ts';
import { addPlanCommand } from './commands/plan.ts';
import { addRunCommand } from './commands/run.ts';
import { addSearchCommand } from './commands/search.ts';
import { addTuneCommand } from './commands/tune.ts';
import { quiet, runProgram } from './program.ts';
import { engineVersion } from './versions.ts';

function createProgram(signal: AbortSignal): Command {
  const program = quiet(new Command('compconv'))
    .description('Runs convolutional networks on WebGPU: plain ones, and compact ones made of CompConv (CVPRW 2021).')
    .version(engineVersion)
    .addHelpText(
      'after',
      '\nExit status: 0 done, 1 failed, 2 wrong input, 130 interrupted. "compconv help <command>" has examples.',
    );
  const commands = [addRunCommand, addEvalCommand, addInfoCommand, addPlanCommand, addBenchCommand, addTuneCommand, addSearchCommand, addExportCommand];
  for (const add of commands) add(program, signal);
  return program;
}

/**
 * Fires at Ctrl-C. Work stops at its next step and the process ends by itself: `process.exit` in the middle of it would
 * crash in Dawn. What takes longer, or a second Ctrl-C, ends the process as if there were no handler, which shells
 * report as 130 too.
 */
function interruption(): AbortSignal {
  const PATIENCE_MS = 1500;
  const controller = new AbortController();
  process.once('SIGINT', () => {
    controller.abort();
    setTimeout(() => process.kill(process.pid, 'SIGINT'), PATIENCE_MS).unref();
  });
  return controller.signal;
}

const signal = interruption();
process.exitCode = await runProgram(createProgram(signal), process.argv.slice(2), signal);
