/**
 * The worker that measures, so that the page stays responsive: the CPU reference computes for seconds without a break.
 * Other engines are loaded in here as well, only when they are asked for. It ends when the page ends it.
 */
import { CompConvError } from '../../src/errors.ts';
import { seededModel } from '../../src/models/read-model.ts';
import { runBenchmark, type BenchProgress } from '../harness.ts';
import { openPeer } from '../peers/open-peer.ts';
import { requestedOptions } from '../request.ts';
import { describeMachine } from './machine.ts';
import type { WorkerReply, WorkerTask } from './worker-messages.ts';

const reply = (message: WorkerReply, transfer: Transferable[] = []) => postMessage(message, { transfer });

addEventListener('message', ({ data }: MessageEvent<WorkerTask>) => {
  perform(data).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    reply({ type: 'error', ...(error instanceof CompConvError && { code: error.code }), message });
  });
});

async function perform(task: WorkerTask): Promise<void> {
  switch (task.type) {
    case 'describe':
      return reply({ type: 'machine', machine: await describeMachine() });
    case 'run': {
      const { request, versions } = task;
      const onProgress = (progress: BenchProgress) => reply({ type: 'progress', progress });
      return reply({
        type: 'report',
        report: await runBenchmark({ ...requestedOptions(request), versions, openPeer, onProgress }),
      });
    }
    case 'export':
      return exportNetwork(task);
  }
}

async function exportNetwork({
  network,
  request: { size, batch, seed },
}: WorkerTask & { readonly type: 'export' }): Promise<void> {
  const { exportOnnx } = await import('../../src/onnx/export.ts');
  const { graph, weights } = seededModel(network.options, seed, { batch, ...(size !== undefined && { height: size }) });
  const bytes = exportOnnx(graph, weights, {
    onProgress: (doneBytes, totalBytes) => reply({ type: 'exporting', doneBytes, totalBytes }),
  });
  reply({ type: 'exported', bytes }, [bytes.buffer]);
}
