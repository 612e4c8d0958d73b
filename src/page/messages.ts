/** Messages beside the file intake: short, the rest behind "Show all", gone at a click. */
import { byId, element } from './dom.ts';

const MAX_SHORT = 300;

/** Adds a message; `text` may have many lines, `more` follows it. */
export function addMessage(title: string, text: string, kind: 'error' | 'info' = 'error', more?: HTMLElement): void {
  const [first, ...rest] = text.split('\n');
  const short = first.length > MAX_SHORT ? `${first.slice(0, MAX_SHORT)}…` : first;
  const isCut = rest.length > 0 || short !== first;
  const close = element('button', { type: 'button', class: 'close', 'aria-label': `Dismiss: ${title}` }, '×');
  const message = element(
    'div',
    { class: kind === 'error' ? 'notice bad' : 'notice', 'data-message': kind },
    close,
    element('p', { class: 'title' }, title),
    element('p', {}, short, ...(more ? [' ', more] : [])),
    isCut
      ? element('details', {}, element('summary', {}, 'Show all'), element('pre', { tabindex: 0 }, text))
      : undefined,
  );
  close.addEventListener('click', () => message.remove());
  byId('messages').append(message);
  message.scrollIntoView({ block: 'nearest' });
}

export function clearMessages(): void {
  byId('messages').replaceChildren();
}
