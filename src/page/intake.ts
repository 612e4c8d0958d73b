/** Where the visitor's files come from: dropped, chosen or pasted. */
import { byId } from './dom.ts';

/** Calls `take` with the files of each drop, choice and paste. */
export function listenForFiles(take: (files: readonly File[]) => void): void {
  const root = document.documentElement;
  let depth = 0; // Entering a child fires before leaving its parent.
  const setDragging = (isDragging: boolean) => root.toggleAttribute('data-dragging', isDragging);
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;

  // On the whole page: a file dropped beside a small target would replace the page.
  addEventListener('dragenter', (event) => {
    if (hasFiles(event)) setDragging(++depth > 0);
  });
  addEventListener('dragleave', (event) => {
    if (hasFiles(event)) setDragging((depth = Math.max(0, depth - 1)) > 0);
  });
  addEventListener('dragover', (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  addEventListener('drop', (event) => {
    setDragging((depth = 0) > 0);
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
  addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files);
  });
  const input = byId<HTMLInputElement>('file-input');
  input.addEventListener('change', () => {
    take([...(input.files ?? [])]);
    input.value = ''; // The same file again is a change again.
  });
}

export type FileKind = 'weights' | 'picture' | 'other';

export function kindOf({ name, type }: File): FileKind {
  if (/\.safetensors$/i.test(name)) return 'weights';
  return type.startsWith('image/') || /\.(png|jpe?g|webp|gif|bmp|avif)$/i.test(name) ? 'picture' : 'other';
}
