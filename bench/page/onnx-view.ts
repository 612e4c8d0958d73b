/** The networks of the request as ONNX files: made in the worker when asked for, one at a time. */
import { byId, element } from '../../src/page/dom.ts';
import { formatBytes } from '../../src/page/format.ts';
import { messageOf } from '../../src/page/problems.ts';
import type { BenchNetwork } from '../options.ts';
import { requestedNetworks, type BenchRequest } from '../request.ts';
import type { BenchWorker } from './bench-worker.ts';
import { downloadBlob } from './download.ts';

/** Not while something is measured, nor two at once. */
let isAllowed = true;

/** A button for each network. */
export function showOnnxList(request: BenchRequest, worker: BenchWorker): void {
  byId('onnx-list').replaceChildren(
    ...requestedNetworks(request).map((network) => {
      const button = element('button', { type: 'button', class: 'quiet', 'data-onnx': network.label }, `${network.label}.onnx`);
      button.addEventListener('click', () => void save(network, request, worker));
      return element('li', {}, button);
    }),
  );
  allowOnnx(isAllowed);
}

export function allowOnnx(isNowAllowed: boolean): void {
  isAllowed = isNowAllowed;
  for (const button of byId('onnx-list').querySelectorAll('button')) button.disabled = !isAllowed;
}

async function save(network: BenchNetwork, request: BenchRequest, worker: BenchWorker): Promise<void> {
  const { label } = network;
  const status = byId('onnx-status');
  const run = byId<HTMLButtonElement>('run');
  const mayRun = !run.disabled;
  allowOnnx(false);
  run.disabled = true;
  status.textContent = `Making ${label}.onnx …`;
  try {
    const bytes = await worker.exportOnnx(network, request, (done, total) => {
      status.textContent = `Making ${label}.onnx: ${formatBytes(done)} of ${formatBytes(total)}`;
    });
    downloadBlob(`${label}.onnx`, new Blob([bytes], { type: 'application/octet-stream' }));
    status.textContent = `${label}.onnx, ${formatBytes(bytes.length)}, is downloaded.`;
  } catch (error) {
    status.textContent = `${label}.onnx could not be made: ${messageOf(error)}`;
  } finally {
    allowOnnx(true);
    run.disabled = !mayRun;
  }
}
