import { loadModel, type Session } from 'compconv-webgpu';
import { useEffect, useState } from 'react';

export interface ModelState {
  readonly session?: Session;
  /** From 0 to 1. */
  readonly progress: number;
  readonly error?: Error;
}

/** Loads a model while the component is mounted; what is under way when it is unmounted is aborted, what is loaded is disposed of. */
export function useModel(url: string): ModelState {
  const [state, setState] = useState<ModelState>({ progress: 0 });
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const onProgress = ({ phase, done, total }: { phase: string; done: number; total: number }) =>
      setState({ progress: (phase === 'download' ? 0 : 0.5) + done / total / 2 });
    const loading = loadModel(url, { signal, onProgress });
    loading.then(
      (session) => !signal.aborted && setState({ session, progress: 1 }),
      (error: Error) => !signal.aborted && setState({ error, progress: 0 }),
    );
    return () => {
      controller.abort();
      setState({ progress: 0 });
      // Also of one that was ready at the last moment.
      loading.then((session) => session.dispose(), () => {});
    };
  }, [url]);
  return state;
}
