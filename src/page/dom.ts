/** Making and finding elements. Texts are set as text, never as markup: file names and labels come from strangers. */

export type Child = Node | string | undefined;

/** An element with attributes and children; an attribute that is `undefined` is left out, `true` has no value. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number | boolean | undefined>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? '' : String(value));
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** The element of `index.html` with this id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found as T;
}

/** Text for screen readers alone. */
export function spoken(text: string): HTMLElement {
  return element('span', { class: 'spoken' }, text);
}
