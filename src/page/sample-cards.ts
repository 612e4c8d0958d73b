/** The bundled images as cards: what is on each, and what every network says. */
import type { Classification } from '../index.ts';
import { byId, element, spoken } from './dom.ts';
import { formatPercent } from './format.ts';
import type { LoadedNetwork, NetworkId } from './networks.ts';
import type { SampleSet, Sample } from './samples.ts';

/** Sorted as in the table. */
const ORDER: readonly NetworkId[] = ['plain', 'compconv', 'own'];

export function showSamples({ choice, samples }: SampleSet): void {
  byId('samples-note').textContent =
    `${samples.length} pictures of the Fashion-MNIST test set, which neither network saw in training: ${choice}. ` +
    'Nobody chose them by the answers.';
  byId('sample-list').replaceChildren(...samples.map(card));
  byId('samples').hidden = false;
}

function card({ url, label, index }: Sample): HTMLElement {
  return element(
    'li',
    { class: 'card', 'data-image': index, 'data-truth': label },
    element('img', { src: url, width: 28, height: 28, alt: `Test image ${index}: ${label}` }),
    element('p', { class: 'truth' }, label, ' ', element('span', { class: 'number-of' }, `no. ${index}`)),
    element('dl', { class: 'answers' }),
  );
}

/** Puts a network's answer on the card; one that is there is replaced. */
export function showAnswer(
  { id, title }: LoadedNetwork,
  { index, label }: Sample,
  [best]: readonly Classification[],
): void {
  const answers = document.querySelector(`[data-image="${index}"] .answers`);
  const isCorrect = best.label === label;
  const answer = element(
    'div',
    {
      class: isCorrect ? 'answer right' : 'answer wrong',
      'data-network': id,
      'data-predicted': best.label,
      'data-correct': String(isCorrect),
      'data-score': best.score,
    },
    element('dt', {}, title),
    element(
      'dd',
      {},
      element('span', { class: 'mark', 'aria-hidden': 'true' }, isCorrect ? '✓' : '✗'),
      spoken(isCorrect ? 'right: ' : 'wrong: '),
      element('span', { class: 'label' }, best.label),
      ' ',
      element('span', { class: 'score' }, formatPercent(best.score)),
    ),
  );
  answers?.querySelector(`[data-network="${id}"]`)?.remove();
  const next = ORDER.slice(ORDER.indexOf(id) + 1).map((later) => answers?.querySelector(`[data-network="${later}"]`));
  answers?.insertBefore(answer, next.find((found) => found != null) ?? null);
}

export function removeAnswers(id: NetworkId): void {
  for (const answer of document.querySelectorAll(`#sample-list [data-network="${id}"]`)) answer.remove();
}
