import { CompConvError, connect, type RemoteSession } from 'compconv-webgpu/worker';

const load = document.querySelector<HTMLButtonElement>('#load')!;
const cancel = document.querySelector<HTMLButtonElement>('#cancel')!;
const progress = document.querySelector<HTMLProgressElement>('#progress')!;
const file = document.querySelector<HTMLInputElement>('#file')!;
const status = document.querySelector<HTMLElement>('#status')!;
const classes = document.querySelector<HTMLElement>('#classes')!;

const engine = connect(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }));
let session: RemoteSession | undefined;

load.addEventListener('click', async () => {
  const controller = new AbortController();
  cancel.onclick = () => controller.abort();
  [load.disabled, cancel.disabled] = [true, false];
  status.textContent = 'Loading';
  try {
    session = await engine.loadModel('models/fashion-mnist-compconv.safetensors', {
      cache: true, // The next visit downloads nothing, unless the file has changed.
      signal: controller.signal,
      onProgress({ phase, done, total }) {
        progress.value = (phase === 'download' ? 0 : 0.5) + done / total / 2;
      },
    });
    file.disabled = false;
    status.textContent = `${session.graph.name} on ${session.adapter?.name}, in a worker`;
  } catch (error) {
    load.disabled = false;
    progress.value = 0;
    status.textContent = error instanceof CompConvError && error.code === 'aborted' ? 'Cancelled' : String(error);
  }
  cancel.disabled = true;
});

file.addEventListener('change', async () => {
  const [image] = file.files!;
  if (!image || !session) return;
  try {
    const found = await session.classify(image, { topK: 3 });
    classes.replaceChildren(
      ...found.map(({ label, score }) => Object.assign(document.createElement('li'), { textContent: `${label} ${(100 * score).toFixed(1)} %` })),
    );
  } catch (error) {
    status.textContent = String(error);
  }
});
