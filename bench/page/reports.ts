/** The reports on the page: the one that is shown, and those that visitors open. */
import { element } from '../../src/page/dom.ts';
import { addMessage, clearMessages } from '../../src/page/messages.ts';
import { messageOf } from '../../src/page/problems.ts';
import type { BenchReport } from '../report.ts';
import { parseReport } from '../report/file.ts';
import { isSearch } from '../search/report.ts';
import { showComparison, type NamedReport } from './comparison-view.ts';
import { searchOfDepths } from './form.ts';
import { showReport } from './report-view.ts';

const THIS_RUN = 'this run';
let shown: NamedReport | undefined;

export function isReportShown(): boolean {
  return shown !== undefined;
}

/** Shows the report of a run that has just ended. */
export function showMeasured(report: BenchReport): void {
  shown = { name: THIS_RUN, report };
  redrawReport();
}

/** Shows it again, with what is known meanwhile of why its layers have their depths. */
export function redrawReport(): void {
  if (shown) showReport(shown.report, shown.name === THIS_RUN ? undefined : shown.name, searchOfDepths());
}

/** One is shown, two are compared. @param takeSearch what to do with a search for depths */
export async function openReports(files: readonly File[], takeSearch: (file: File) => Promise<void>): Promise<void> {
  clearMessages();
  const opened: NamedReport[] = [];
  for (const file of files) {
    try {
      const text = await file.text();
      if (isSearch(text)) {
        await takeSearch(file);
        redrawReport();
        addMessage(`${file.name} is a search for depths`, 'The form has taken them; layers that have them say why.', 'info');
      } else {
        opened.push({ name: file.name, report: parseReport(text) });
      }
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
  redrawReport();
  if (!before) return;
  const compare = element('button', { type: 'button', class: 'quiet' }, `Compare it with ${before.name}`);
  compare.addEventListener('click', () => showComparison(before, opened));
  addMessage(`${opened.name} is shown`, `It takes the place of ${before.name}.`, 'info', compare);
}
