/** What to take away of a report: files, text for the clipboard, and the link that repeats the run. */
import { byId, element } from '../../src/page/dom.ts';
import type { BenchReport } from '../report.ts';
import { networksCsv } from '../report/csv.ts';
import { reportMarkdown } from '../report/markdown.ts';
import { reportName } from '../report/name.ts';
import { requestOfReport } from '../report/request.ts';
import { toSearchParams } from '../request.ts';
import { copyText, downloadText } from './download.ts';

const FORMATS = [
  {
    name: 'JSON',
    ending: 'json',
    type: 'application/json',
    text: (report: BenchReport) => `${JSON.stringify(report, undefined, 2)}\n`,
  },
  { name: 'CSV', ending: 'csv', type: 'text/csv', text: networksCsv },
  { name: 'Markdown', ending: 'md', type: 'text/markdown', text: reportMarkdown },
] as const;

export function takeAwayView(report: BenchReport): HTMLElement {
  const link = linkTo(report);
  return element(
    'div',
    { class: 'take-away', role: 'group', 'aria-label': 'Take the results away' },
    ...FORMATS.map(({ name, ending, type, text }) => {
      const download = element('button', { type: 'button', class: 'quiet', 'data-download': ending }, 'Download');
      download.addEventListener('click', () => downloadText(`${reportName(report)}.${ending}`, type, text(report)));
      return element(
        'span',
        { class: 'format' },
        element('span', {}, name),
        download,
        copyButton('Copy', `${name} copied`, ending, () => text(report)),
      );
    }),
    link
      ? element(
          'span',
          { class: 'format' },
          copyButton('Copy the link that repeats this run', 'Link copied', 'link', () => link),
        )
      : undefined,
    element('span', { id: 'copied', role: 'status', class: 'note' }),
  );
}

/** The address that runs the same again; undefined where none can say it. */
function linkTo({ options }: BenchReport): string | undefined {
  const request = requestOfReport(options);
  if (!request) return undefined;
  const params = toSearchParams(request);
  params.set('autostart', '1');
  const { origin, pathname } = location;
  return `${origin}${pathname}?${params}`;
}

function copyButton(title: string, success: string, what: string, text: () => string): HTMLElement {
  const button = element('button', { type: 'button', class: 'quiet', 'data-copy': what }, title);
  button.addEventListener('click', async () => {
    const isCopied = await copyText(text());
    byId('copied').textContent = isCopied ? success : 'The browser refused access to the clipboard; download instead.';
  });
  return button;
}
