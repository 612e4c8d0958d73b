/** `compconv plan`: every dispatch of an inference, for the limits that any WebGPU adapter has; no GPU needed. */

import type { Command } from 'commander';
import { valuesOf, type Dispatch } from '../../src/kernels/kernel.ts';
import { printPlan, summarizePlan, type Plan } from '../../src/scheduler/plan.ts';
import { printProgram } from '../../src/scheduler/program.ts';
import { DEFAULT_LIMITS, schedule } from '../../src/scheduler/schedule.ts';
import {
  addJsonOption,
  addNetworkOptions,
  addSizeOptions,
  loadGraph,
  addScheduleOption,
  scheduleOptions,
  type NetworkFlags,
  type ScheduleFlags,
  type SizeFlags,
} from '../options.ts';
import { printJson } from '../report.ts';

interface PlanFlags extends NetworkFlags, SizeFlags, ScheduleFlags {
  readonly weights?: string;
  readonly passes?: boolean;
  readonly json?: boolean;
}

export function addPlanCommand(program: Command): void {
  const command = program.command('plan').summary('every GPU dispatch of an inference');
  command.description(
    'Prints the plan of an inference: one line for each dispatch with what it reads and writes, then memory. It is ' +
      "made for WebGPU's default limits, so that it runs anywhere; a session may plan for an adapter that has more.",
  );
  addNetworkOptions(command).option(
    '--weights <file>',
    'take the network from the metadata of this .safetensors file; flags win',
  );
  command.option('--passes', 'print the program before the first pass and after each one, then the plan');
  addJsonOption(addScheduleOption(addSizeOptions(command)));
  command.addHelpText(
    'after',
    '\nExamples:\n  compconv plan --arch resnet18 --c0 64\n  compconv plan --arch vgg16 --plain --size 64 --json',
  );
  command.action(runPlan);
}

async function runPlan(flags: PlanFlags): Promise<void> {
  const { graph } = await loadGraph(flags);
  const passes: { pass: string; program: readonly string[] }[] = [];
  const plan = schedule(graph, DEFAULT_LIMITS, {
    ...scheduleOptions(flags),
    ...(flags.passes && { onPass: (pass, program) => passes.push({ pass, program: printProgram(program) }) }),
  });
  if (!flags.json) {
    for (const { pass, program } of passes) process.stdout.write(`# ${pass}: ${program.length} lines\n${program.join('\n')}\n\n`);
    process.stdout.write(printPlan(plan));
    return;
  }
  const { name, input, output, dispatches } = plan;
  printJson({
    network: name,
    schedule: plan.schedule,
    ...(flags.passes && { passes }),
    input: { value: input, shape: shapeOf(plan, input) },
    output: { value: output, shape: shapeOf(plan, output) },
    ...summarizePlan(plan),
    steps: dispatches.map((dispatch) => describe(plan, dispatch)),
  });
}

function describe(plan: Plan, dispatch: Dispatch) {
  const { label, kernel, overrides, workgroups, macs } = dispatch;
  const { read, written } = valuesOf(dispatch);
  const outputs = written.map((value) => ({ value, shape: shapeOf(plan, value) }));
  return { label, kernel: kernel.name, overrides, inputs: [...new Set(read)], outputs, workgroups, macs };
}

/** `[N, H, W, C]`, as the printed plan has it: the order in memory. */
function shapeOf(plan: Plan, value: string): number[] {
  const { n, h, w, c } = plan.values.get(value)!.shape;
  return [n, h, w, c];
}
