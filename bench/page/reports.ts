/** The reports on the page: the one that is shown, and those that visitors open. */
import { element } from '../../src/page/dom.ts';
import { addMessage, clearMessages } from '../../src/page/messages.ts';
import { messageOf } from '../../src/page/problems.ts';
import type { BenchReport } from '../report.ts';
import { parseReport } from '../report/file.ts';
import { showComparison, type NamedReport } from './comparison-view.ts';
import { searchOfDepths } from './form.ts';
import { showReport } from './report-view.ts';

let shown: NamedReport | undefined;

export function isReportShown(): boolean {
  return shown !== undefined;
}

/** Shows the report of a run that has just ended. */
export function showMeasured(report: BenchReport): void {
  shown = { name: 'this run', report };
  showReport(report, undefined, searchOfDepths());
}

/** One is shown, two are compared. */
export async function openReports(files: readonly File[]): Promise<void> {
  clearMessages();
  const opened: NamedReport[] = [];
  for (const file of files) {
    try {
      opened.push({ name: file.name, report: parseReport(await file.text()) });
    } catch (error) {
      addMessage(`${file.name} cannot be shown`, messageOf(error));
    }
  }
  const [first, second, ...others] = opened;
  if (others.length > 0)
    addMessage('These are more than two reports', `The first two are compared: ${first.name} and ${second.name}.`, 'info');
  if (second) showComparison(first, second);
  else if (first) openReport(first);
}

function openReport(opened: NamedReport): void {
  const before = shown;
  shown = opened;
  showReport(opened.report, opened.name, searchOfDepths());
  if (!before) return;
  const compare = element('button', { type: 'button', class: 'quiet' }, `Compare it with ${before.name}`);
  compare.addEventListener('click', () => showComparison(before, opened));
  addMessage(`${opened.name} is shown`, `It takes the place of ${before.name}.`, 'info', compare);
}
