/** A list of terms and what stands for them, side by side where there is room. */
import { element } from '../../src/page/dom.ts';

export type Facts = readonly (readonly [term: string, value: string | undefined])[];

/** What is not told is left out. */
export function factItems(facts: Facts): HTMLElement[] {
  return facts.flatMap(([term, value]) => (value ? [element('div', {}, element('dt', {}, term), element('dd', {}, value))] : []));
}

export function factList(facts: Facts): HTMLElement {
  return element('dl', { class: 'facts' }, ...factItems(facts));
}
