/** A report as Markdown: what an issue, a README or a chat takes. The same words and numbers as on the page. */
import { formatCount, formatLarge, formatMs } from '../../src/page/format.ts';
import type { BenchReport } from '../report.ts';
import { describeCaveats } from './caveats.ts';
import { describeFindings, describePeers, formatError } from './findings.ts';
import { reportRows, type ReportRow } from './rows.ts';

export function reportMarkdown(report: BenchReport): string {
  const { adapter, versions, date, options } = report;
  const [first, ...others] = describeFindings(report);
  const caveats = describeCaveats(report);
  const without = options.withoutPasses.length > 0 ? ` without ${options.withoutPasses.join(', ')}` : '';
  const forced = options.forcedPasses.length > 0 ? ` with ${options.forcedPasses.join(', ')} forced` : '';
  const facts = [
    `Adapter: ${adapter.name}${adapter.driver && `, driver ${adapter.driver}`}`,
    ...Object.entries(versions).map(([name, version]) => `${name}: ${version}`),
    `${options.runs} runs in turns, batch ${options.batch}, ${options.dtype}, schedule ${options.schedule}${without}${forced}${options.tuned ? ', tuned' : ''}, seed ${options.seed}`,
    `Measured ${date}`,
  ];
  const parts = [
    ...(first ? [`### ${first.headline}`, first.detail] : []),
    ...others.map(({ headline }) => headline),
    ...describePeers(report),
    facts.map((fact) => `- ${fact}`).join('\n'),
    ...(report.networks.length > 0 ? [networksTable(report)] : []),
    ...(caveats.length > 0 ? [caveats.map((caveat) => `> ${caveat}`).join('\n>\n')] : []),
  ];
  return `${parts.map(plainSpaces).join('\n\n')}\n`;
}

function networksTable(report: BenchReport): string {
  const rows = reportRows(report);
  const hasPeers = rows.some(({ kind }) => kind !== 'ours');
  const columns: [string, (row: ReportRow) => string][] = [
    ['network', ({ label }) => label],
    ...(hasPeers
      ? ([
          ['engine', ({ engine }) => engine],
          ['setting', ({ setting }) => setting],
        ] satisfies [string, (row: ReportRow) => string][])
      : []),
    ['MACs', ({ network }) => formatLarge(network.macs)],
    ['parameters', ({ network }) => formatLarge(network.params)],
    ['dispatches', ({ kind, network }) => (kind === 'ours' && network.plan ? formatCount(network.plan.dispatches) : '')],
    ['median', ({ times, problem }) => (times ? formatMs(times.latencyMs.median) : `none: ${problem ?? 'not timed'}`)],
    ['p90', ({ times }) => (times ? formatMs(times.latencyMs.p90) : '')],
    ['min', ({ times }) => (times ? formatMs(times.latencyMs.min) : '')],
    ['n', ({ times }) => String(times?.latencyMs.n ?? '')],
    ['GPU time', ({ times }) => (times?.gpuTimeMs ? formatMs(times.gpuTimeMs.median) : '')],
    ['against plain', ({ speedUp }) => ratio(speedUp)],
    ...(hasPeers ? ([['times ours', ({ timesOurs }) => ratio(timesOurs)]] satisfies [string, (row: ReportRow) => string][]) : []),
    ['error', ({ relativeError, verified }) => `${formatError(relativeError)}${verified ? '' : ', failed'}`],
  ];
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [
    line(columns.map(([title]) => title)),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map(([, cell]) => cell(row)))),
  ].join('\n');
}

function ratio(value: number | undefined): string {
  return value === undefined ? '' : `${value.toFixed(2)}×`;
}

/** Spaces that do not break are for pages. */
function plainSpaces(text: string): string {
  return text.replaceAll('\u00a0', ' ');
}
