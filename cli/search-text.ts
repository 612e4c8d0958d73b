/** What a search found, as text for people: what each layer takes at each depth, and the network that came of it. */
import { missedBudget, type SearchReport } from '../bench/search/report.ts';
import { count, milliseconds, percent, table } from './report.ts';

export function searchText(report: SearchReport): string[] {
  const { adapter, software, network, inputShape, layers, restMs, plain, searched, budget, objective } = report;
  const cells = (depth: number, options: SearchReport['layers'][number]['options'], at: number) => {
    const option = options.find((each) => each.depth === at);
    return option ? `${milliseconds(option.ms)}${at === depth ? ' *' : ''}` : '-';
  };
  const rows = layers.map(({ layer, depth, options }) => [layer, String(depth), ...[0, 1, 2, 3].map((at) => cells(depth, options, at))]);
  const compared = (name: string, { macs, params, predictedMs, measuredMs }: typeof plain) => [
    name,
    count(macs),
    count(params),
    milliseconds(predictedMs),
    milliseconds(measuredMs),
    percent(measuredMs / plain.measuredMs),
  ];
  const what = 'latency' in budget ? `${percent(budget.latency)} of the plain network's time, ${objective === 'params' ? 'the most parameters' : 'the least loss by the sensitivities'}` : `${percent(budget.params)} of the plain network's parameters in convolutions, the least time`;
  const missed = missedBudget(report, percent);
  return [
    `adapter  ${adapter}${software ? ': these times say nothing about a GPU' : ''}`,
    `network  ${network}, input [${inputShape.join(', ')}]`,
    `budget   ${what}`,
    '',
    ...table(['layer', 'depth', 'depth 0', 'depth 1', 'depth 2', 'depth 3'], rows),
    `the rest takes ${milliseconds(restMs)}`,
    '',
    ...table(['', 'MACs', 'parameters', 'predicted', 'measured', 'of plain'], [compared('plain', plain), compared('searched', searched)]),
    ...(missed === undefined ? [] : [missed]),
  ];
}
