import { loadModel } from 'compconv-webgpu';

const start = document.querySelector<HTMLButtonElement>('#start')!;
const stop = document.querySelector<HTMLButtonElement>('#stop')!;
const video = document.querySelector<HTMLVideoElement>('#video')!;
const label = document.querySelector<HTMLOutputElement>('#label')!;
const rate = document.querySelector<HTMLOutputElement>('#rate')!;
const status = document.querySelector<HTMLElement>('#status')!;

/** The next frame that the video shows. */
const nextFrame = () => new Promise((resolve) => video.requestVideoFrameCallback(resolve));

async function classifyUntil(signal: AbortSignal): Promise<void> {
  using session = await loadModel('models/fashion-mnist-compconv.safetensors', { signal });
  const camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  try {
    video.srcObject = camera;
    await video.play();
    status.textContent = `${session.graph.name} on ${session.adapter.name}`;
    // One frame at a time: those that come meanwhile are left out. Ends when `classify` is aborted.
    for (let last = performance.now(); ; ) {
      await nextFrame();
      const [best] = await session.classify(video, { topK: 1, signal });
      const now = performance.now();
      label.value = best.label;
      rate.value = `${(1000 / (now - last)).toFixed(1)} frames per second`;
      last = now;
    }
  } finally {
    for (const track of camera.getTracks()) track.stop();
    video.srcObject = null;
  }
}

start.addEventListener('click', async () => {
  const controller = new AbortController();
  stop.onclick = () => controller.abort();
  [start.disabled, stop.disabled] = [true, false];
  status.textContent = 'Loading';
  try {
    await classifyUntil(controller.signal);
  } catch (error) {
    status.textContent = controller.signal.aborted ? 'Stopped' : String(error);
  }
  [start.disabled, stop.disabled] = [false, true];
});
