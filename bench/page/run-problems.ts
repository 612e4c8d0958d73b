/** What went wrong with a run, or before one, in words that say what to do about it. */
import { CompConvError } from '../../src/errors.ts';
import { explain, messageOf, type Problem } from '../../src/page/problems.ts';

export function explainRun(error: unknown): Problem {
  const code = error instanceof CompConvError ? error.code : undefined;
  if (code === 'invalid-argument' || code === 'invalid-graph') {
    return { title: 'This cannot be measured', advice: [`${messageOf(error)}.`, 'Change the form and run again.'] };
  }
  return explain(error, {
    title: 'The benchmark ended with an error',
    advice: ['Run it again. If it stays like this, report the message below with your browser’s name.'],
  });
}

/** A worker without what the page itself has is another problem than having none. */
export async function explainWorker(error: unknown): Promise<Problem> {
  const isMissing = error instanceof CompConvError && error.code === 'webgpu-unavailable';
  if (!isMissing || !(await navigator.gpu.requestAdapter())) return explainRun(error);
  return {
    title: 'This browser has WebGPU, but not in workers',
    advice: [
      'The benchmark runs in a worker, so that the page stays responsive. Open it in Chrome or Edge 113 or newer, Safari 26 or ' +
        'newer, or a current Firefox.',
    ],
    cause: messageOf(error),
  };
}
