/** The progress at the top of the page. A screen reader hears each step once, not every number in it. */
import { byId } from './dom.ts';

/** The first page is `loading`, then `ready`; the benchmark `idle`, `running`, `done`; either may have `failed`. */
export type PageState = 'loading' | 'ready' | 'idle' | 'running' | 'done' | 'failed';

/** For scripts that wait for the page: `<html data-state>`. */
export function setPageState(state: PageState): void {
  document.documentElement.dataset['state'] = state;
}

export function pageState(): PageState {
  return document.documentElement.dataset['state'] as PageState;
}

/** Shows a step; the bar runs to and fro where `total` is not known. */
export function showProgress(step: string, done?: number, total?: number, detail = ''): void {
  byId('status').hidden = false;
  const text = byId('status-text');
  if (text.textContent !== step) text.textContent = step;
  byId('status-detail').textContent = detail;
  const bar = byId<HTMLProgressElement>('status-bar');
  if (done === undefined || !total) bar.removeAttribute('value');
  else {
    bar.max = total;
    bar.value = done;
  }
}

/** Takes the bar away; the last words stay for screen readers. */
export function endProgress(lastWords: string): void {
  byId('status-text').textContent = lastWords;
  byId('status-detail').textContent = '';
  byId('status').classList.add('done');
}

export function resumeProgress(): void {
  byId('status').classList.remove('done');
}

/** Adds up what several networks report at the same time. */
export class Tally {
  readonly #parts = new Map<string, { readonly done: number; readonly total: number | undefined }>();

  set(part: string, done: number, total: number | undefined): void {
    this.#parts.set(part, { done, total });
  }

  get done(): number {
    return [...this.#parts.values()].reduce((sum, { done }) => sum + done, 0);
  }

  /** `undefined` as long as one part's total is. */
  get total(): number | undefined {
    return [...this.#parts.values()].reduce<number | undefined>(
      (sum, { total }) => (sum === undefined || total === undefined ? undefined : sum + total),
      0,
    );
  }
}
