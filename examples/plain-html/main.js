// @ts-check
import { loadModel } from 'compconv-webgpu';

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const image = /** @type {HTMLImageElement} */ (find('image'));
const progress = /** @type {HTMLProgressElement} */ (find('progress'));

try {
  const session = await loadModel('models/fashion-mnist-compconv.safetensors', {
    onProgress({ phase, done, total }) {
      find('status').textContent = phase === 'download' ? 'Downloading' : 'Compiling';
      // Half a bar for each phase.
      progress.value = (phase === 'download' ? 0 : 0.5) + done / total / 2;
    },
  });
  await image.decode();
  for (const { label, score } of await session.classify(image, { topK: 3 })) {
    const item = document.createElement('li');
    item.textContent = `${label} ${(100 * score).toFixed(1)} %`;
    find('classes').append(item);
  }
  find('status').textContent = `${session.graph.name} on ${session.adapter.name}`;
  session.dispose();
} catch (error) {
  find('status').textContent = String(error);
}
