import { loadModel } from 'compconv-webgpu';

const [image, progress, status, classes] = ['image', 'progress', 'status', 'classes'].map((id) => document.getElementById(id));

try {
  const session = await loadModel('models/fashion-mnist-compconv.safetensors', {
    onProgress({ phase, done, total }) {
      status.textContent = phase === 'download' ? 'Downloading' : 'Compiling';
      // Half a bar for each phase.
      progress.value = (phase === 'download' ? 0 : 0.5) + done / total / 2;
    },
  });
  await image.decode();
  for (const { label, score } of await session.classify(image, { topK: 3 })) {
    const item = document.createElement('li');
    item.textContent = `${label} ${(100 * score).toFixed(1)} %`;
    classes.append(item);
  }
  status.textContent = `${session.graph.name} on ${session.adapter.name}`;
  session.dispose();
} catch (error) {
  status.textContent = String(error);
}
