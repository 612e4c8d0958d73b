/** The visitor's pictures: each with the best answers of every network, as bars. */
import type { Classification } from '../index.ts';
import { byId, element } from './dom.ts';
import { formatPercent } from './format.ts';
import { classify, type ReadyNetwork } from './networks.ts';

const TOP_K = 5;
/** Older ones make room: each holds its file and a decoded preview. */
const MAX_IMAGES = 12;

export interface OwnImage {
  readonly file: File;
  readonly item: HTMLElement;
  readonly answers: HTMLElement;
}

const shown: OwnImage[] = [];

/** Shows a picture and what the networks say. @throws if it cannot be decoded, or a network fails on it */
export async function addOwnImage(file: File, networks: readonly ReadyNetwork[]): Promise<void> {
  const url = URL.createObjectURL(file);
  const answers = element('div', { class: 'answers' });
  const name = file.name || 'pasted picture';
  const item = element(
    'li',
    { class: 'own-image', 'data-own-image': name },
    element('figure', {}, element('img', { src: url, alt: `Your picture ${name}` }), element('figcaption', {}, name)),
    answers,
  );
  const image = { file, item, answers };
  shown.unshift(image);
  try {
    for (const network of networks) {
      await addAnswers(image, network);
      // Not before a network could read it.
      if (!item.isConnected) byId('own-list').prepend(item);
    }
  } catch (error) {
    remove(image);
    throw error;
  }
  while (shown.length > MAX_IMAGES) remove(shown[shown.length - 1]);
}

/** Asks a network that came later about the pictures that are there. */
export async function answerOwnImages(network: ReadyNetwork): Promise<void> {
  for (const image of [...shown]) await addAnswers(image, network);
}

export function removeOwnAnswers(id: string): void {
  for (const { answers } of shown) answers.querySelector(`[data-network="${id}"]`)?.remove();
}

async function addAnswers({ file, answers }: OwnImage, network: ReadyNetwork): Promise<void> {
  const best = await classify(network, file, TOP_K);
  answers.querySelector(`[data-network="${network.id}"]`)?.remove();
  answers.append(
    element(
      'section',
      { 'data-network': network.id, 'data-predicted': best[0].label },
      element('h3', {}, network.title),
      element('ol', { class: 'bars' }, ...best.map(bar)),
    ),
  );
}

function bar({ label, score }: Classification): HTMLElement {
  const item = element(
    'li',
    { 'data-label': label, 'data-score': score },
    element('span', { class: 'label' }, label),
    element('span', { class: 'score' }, formatPercent(score)),
    element('span', { class: 'bar', 'aria-hidden': 'true' }),
  );
  // Through the object model: the page's policy forbids style attributes.
  item.style.setProperty('--share', String(score));
  return item;
}

function remove(image: OwnImage): void {
  shown.splice(shown.indexOf(image), 1);
  URL.revokeObjectURL(image.item.querySelector('img')!.src);
  image.item.remove();
}
