/** The progress panel: steps of the run, what is going on, and the button that ends it. */
import { byId, element, spoken } from '../../src/page/dom.ts';
import { resumeProgress, showProgress } from '../../src/page/status.ts';
import type { BenchProgress } from '../options.ts';
import { ProgressWords, stepsOf } from '../progress-text.ts';
import type { BenchRequest } from '../request.ts';

export class ProgressView {
  readonly #words = new ProgressWords();
  readonly #steps: readonly { readonly item: HTMLElement; readonly phases: readonly string[] }[];
  /** In words, for who wants to know where it ended. */
  current = 'starting';

  constructor(request: BenchRequest) {
    this.#steps = stepsOf(request).map(({ title, phases }) => ({ item: element('li', {}, title), phases }));
    byId('steps').replaceChildren(...this.#steps.map(({ item }) => item));
    byId('cancel').hidden = false;
    resumeProgress();
    showProgress('Starting');
  }

  show(progress: BenchProgress): void {
    const { title, detail, done, total } = this.#words.describe(progress);
    this.current = detail && !title.includes(progress.label) ? `${title}: ${progress.label}` : title;
    showProgress(title, done, total, detail);
    for (const { item, phases } of this.#steps) {
      const isNow = phases.includes(progress.phase);
      if (item.dataset['step'] === 'now' && !isNow) setStep(item, 'done');
      if (isNow) setStep(item, 'now');
    }
  }
}

function setStep(item: HTMLElement, step: 'now' | 'done'): void {
  if (item.dataset['step'] === step) return;
  item.dataset['step'] = step;
  item.toggleAttribute('aria-current', false);
  if (step === 'now') item.setAttribute('aria-current', 'step');
  item.querySelector('.spoken')?.remove();
  if (step === 'done') item.append(spoken(', done'));
}
