// Classifies images from files: node main.mjs IMAGE...
import { fileURLToPath } from 'node:url';
import { loadModel } from 'compconv-webgpu';
import { decodeImage, fileBlob, openGpu } from 'compconv-webgpu/node';

const model = fileURLToPath(new URL('../../public/models/fashion-mnist-compconv.safetensors', import.meta.url));
const paths = process.argv.slice(2);
try {
  const images = await Promise.all(paths.map((path) => decodeImage(path)));
  const session = await loadModel(await fileBlob(model), {
    gpu: await openGpu(),
    onProgress: ({ phase, done, total }) => console.error(phase, done, 'of', total),
  });
  console.log(`${session.graph.name} on ${session.adapter.name}`);
  for (const [i, image] of images.entries()) {
    const classes = await session.classify(image, { topK: 3 });
    console.log(`${paths[i]}: ${classes.map(({ label, score }) => `${label} ${(100 * score).toFixed(1)} %`).join(', ')}`);
  }
  session.dispose();
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
