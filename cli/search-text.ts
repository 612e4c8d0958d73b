/** What a search found, as text for people: what each layer takes at each depth, and the network that came of it. */
import { lossOf, missedBudget, type SearchedLayer, type SearchReport } from '../bench/search/report.ts';
import { count, milliseconds, percent, table } from './report.ts';

export function searchText(report: SearchReport): string[] {
  const { adapter, software, network, inputShape, layers, restMs, plain, searched, budget, objective } = report;
  const cell = (layer: SearchedLayer, at: number) => {
    const option = layer.options.find((each) => each.depth === at);
    if (!option) return '-';
    const loss = at > 0 ? lossOf(layer, option) : undefined;
    return `${milliseconds(option.ms)}${loss === undefined ? '' : ` (${loss})`}${at === layer.depth ? ' *' : ''}`;
  };
  const rows = layers.map((layer) => [layer.layer, String(layer.depth), ...[0, 1, 2, 3].map((at) => cell(layer, at))]);
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
    ...(objective === 'sensitivity' ? ['in brackets: what the layer loses by the sensitivities, against the plain one'] : []),
    `the rest takes ${milliseconds(restMs)}`,
    '',
    ...table(['', 'MACs', 'parameters', 'predicted', 'measured', 'of plain'], [compared('plain', plain), compared('searched', searched)]),
    ...(missed === undefined ? [] : [missed]),
  ];
}
