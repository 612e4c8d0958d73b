/** A report on the page, from nothing but the report: a saved one looks like one that has just been measured. */
import { byId, element } from '../../src/page/dom.ts';
import { formatCount } from '../../src/page/format.ts';
import type { BenchReport } from '../report.ts';
import { describeCaveats } from '../report/caveats.ts';
import { describeFindings, type Finding } from '../report/findings.ts';
import { sweepsOf } from '../report/sweep.ts';
import type { SearchReport } from '../search/report.ts';
import { factList } from './facts.ts';
import { layersView } from './layers-view.ts';
import { limitsView } from './limits-view.ts';
import { peersView } from './peers-view.ts';
import { scalingView } from './scaling-view.ts';
import { sweepView } from './sweep-view.ts';
import { takeAwayView } from './take-away.ts';
import { timesView } from './times-view.ts';

/** What the report says of the adapter beyond its name. */
function adapterDetails({ adapter, versions }: BenchReport): HTMLElement {
  const { vendor, architecture, device, description, driver, features, limits } = adapter;
  const facts = { vendor, architecture, device, description, driver, ...versions, features: features.join(', ') };
  const all = [
    ...Object.entries(facts),
    ...Object.entries(limits).map(([name, value]): [string, string] => [name, formatCount(value)]),
  ];
  return element('details', {}, element('summary', {}, 'Adapter and versions'), factList(all));
}

/**
 * @param source file that it is from; undefined for the run that has just ended
 * @param search that may say why a network has its depths
 */
export function showReport(report: BenchReport, source: string | undefined, search: SearchReport | undefined): void {
  const results = byId('results');
  results.replaceChildren(
    panel(report, source),
    takeAwayView(report),
    ...timesView(report),
    ...sweepsOf(report).map(sweepView),
    ...peersView(report),
    ...(report.networks.length > 0 ? [layersView(report, search)] : []),
    ...(report.limits ? [limitsView(report.limits)] : []),
    ...scalingView(report),
  );
  results.hidden = false;
  const heading = byId('finding');
  heading.focus({ preventScroll: true });
  results.scrollIntoView({ block: 'start' });
}

function panel(report: BenchReport, source: string | undefined): HTMLElement {
  const findings = describeFindings(report);
  const [first = NOTHING, ...others] = findings;
  const caveats = describeCaveats(report);
  return element(
    'div',
    { class: 'finding-panel', 'data-outcome': first.outcome },
    element('h2', { id: 'finding', tabindex: -1 }, first.headline),
    element('p', { id: 'finding-detail' }, first.detail),
    others.length > 0 ? element('ul', { class: 'findings' }, ...others.map(finding)) : undefined,
    element('p', { class: 'note' }, describeRun(report, source)),
    caveats.length > 0
      ? element(
          'div',
          { class: 'notice warn', id: 'caveats' },
          element('p', { class: 'title' }, 'Before you quote these numbers'),
          element('ul', { class: 'notes' }, ...caveats.map((text) => element('li', {}, text))),
        )
      : undefined,
    adapterDetails(report),
  );
}

const NOTHING: Finding = {
  label: '',
  outcome: 'untimed',
  headline: 'The adapter itself was measured',
  detail: 'No network was.',
};

function finding({ headline, detail, outcome }: Finding): HTMLElement {
  return element('li', { 'data-outcome': outcome }, headline, outcome === 'failed' ? `. ${detail}` : '');
}

function describeRun({ adapter, versions, options, date, networks }: BenchReport, source: string | undefined): string {
  const { runs, batch, dtype, schedule, withoutPasses, forcedPasses, seed, tuned } = options;
  const shapes = [...new Set(networks.map(({ inputShape: [n, c, h, w] }) => `${n}×${c}×${h}×${w}`))].join(', ');
  const parts = [
    source && `From the file ${source}`,
    adapter.name,
    versions.browser ?? versions.node ?? '',
    versions.os,
    shapes && `input ${shapes}`,
    `${runs} run${runs === 1 ? '' : 's'} in turns`,
    batch > 1 && `batch ${batch}`,
    dtype,
    `schedule ${schedule}`,
    withoutPasses.length > 0 && `without ${withoutPasses.join(', ')}`,
    forcedPasses.length > 0 && `${forcedPasses.join(', ')} forced`,
    tuned && 'tuned',
    `seed ${seed}`,
    new Date(date).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' }),
  ];
  return parts.filter(Boolean).join(' · ');
}
