/** The request that a report answers, so that a saved report has a link, too. Pure. */
import type { NetworkOptions } from '../../src/models/network.ts';
import { passNames } from '../../src/scheduler/schedule.ts';
import type { ReportOptions } from '../report.ts';
import { requestedNetworks, type BenchRequest } from '../request.ts';

/** Undefined where no request makes these networks, those of a program of one's own, or measures them so: tuned ones. */
export function requestOfReport(options: ReportOptions): BenchRequest | undefined {
  if (options.tuned) return undefined;
  const { networks, size, batch, runs, dtype, schedule, sections, peers, seed } = options;
  const made = networks.map(({ options }) => options);
  const twin = made.find(isCompressed);
  const request: BenchRequest = {
    networks: distinct(made.map(({ arch }) => arch)),
    c0: distinct(made.flatMap(({ c0 }) => c0 ?? [])),
    ...(twin?.depths && { depths: twin.depths }),
    ...(twin?.inner && { inner: twin.inner }),
    ...(twin?.shuffleGroups !== undefined && { shuffleGroups: twin.shuffleGroups }),
    ...(made[0]?.classes !== undefined && { classes: made[0].classes }),
    ...(size !== undefined && { size }),
    batch,
    runs,
    dtype,
    schedule,
    withoutPasses: passNames.filter((name) => options.withoutPasses.includes(name)),
    forcedPasses: passNames.filter((name) => options.forcedPasses.includes(name)),
    sections,
    peers,
    seed,
  };
  return isAnswered(request, options) ? request : undefined;
}

function isCompressed({ c0, depths }: NetworkOptions): boolean {
  return c0 !== undefined || depths !== undefined;
}

/** Whether the request asks for the very networks of the report. */
function isAnswered(request: BenchRequest, { networks }: ReportOptions): boolean {
  const plain = (list: ReturnType<typeof requestedNetworks>) =>
    JSON.stringify(list.map(({ label, options, baseline }) => [label, baseline, Object.entries(options).sort()]));
  try {
    return plain(requestedNetworks(request)) === plain([...networks]);
  } catch {
    // A network that this version does not know.
    return false;
  }
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
