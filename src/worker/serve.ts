/**
 * The worker's side: loads models and runs them for whoever connects. The app's own worker calls `serve()`; nothing else of it is
 * touched, so that it may have messages of its own.
 */
import { CompConvError } from '../errors.ts';
import { loadModel, type LoadedModel, type LoadModelOptions } from '../load/load-model.ts';
import { packError, PORT, type Reply, type Request, type SessionFacts, type SessionState } from './protocol.ts';
import { transfersOf } from './transfer.ts';

/** Options that do not cross from a page: functions, caches, devices. They hold for every model; those of `loadModel` win over them. */
export type ServeOptions = Partial<LoadModelOptions>;

/**
 * Serves every page that connects to this worker with `connect`. Call it while the worker's script runs, not later: the first message
 * may be there already.
 * @param scope the worker; for a SharedWorker each `MessagePort`
 */
export function serve(options: ServeOptions = {}, scope: EventTarget = globalThis as unknown as EventTarget): void {
  scope.addEventListener('message', (event) => {
    const { data } = event as MessageEvent<unknown>;
    const port = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[PORT] : undefined;
    if (port instanceof MessagePort) servePort(port, options);
  });
}

function servePort(port: MessagePort, shared: ServeOptions): void {
  const sessions = new Map<number, LoadedModel>();
  const cancels = new Map<number, AbortController>();
  const send = (reply: Reply, transfer: Transferable[] = []) => port.postMessage(reply, transfer);

  const answer = async (request: Exclude<Request, { cancel: number }>) => {
    const { call } = request;
    const controller = new AbortController();
    cancels.set(call, controller);
    const hooks = { signal: controller.signal, onProgress: (progress: unknown) => send({ call, progress }) };
    try {
      if (request.method === 'loadModel') {
        const onDeviceLost = (error: CompConvError) => send({ lost: call, error: packError(error) });
        const session = await loadModel(request.source as never, { ...shared, ...request.options, ...hooks, onDeviceLost });
        // Disconnected or cancelled meanwhile: nobody would dispose of it.
        if (controller.signal.aborted) return session.dispose();
        sessions.set(call, session);
        const { graph, cost, model } = session;
        send({ call, result: { graph, cost, labels: model.labels } satisfies SessionFacts, session: call, state: stateOf(session) });
        return;
      }
      const session = sessions.get(request.session);
      if (!session) throw new CompConvError('disposed', 'the session was disposed; load the model again');
      if (request.method === 'dispose') sessions.delete(request.session);
      const result = await perform(session, request.method, request.args, hooks);
      const state = request.method === 'dispose' ? undefined : stateOf(session);
      send({ call, result, session: request.session, state }, transfersOf(result));
    } catch (error) {
      send({ call, error: packError(error) });
    } finally {
      cancels.delete(call);
    }
  };

  port.onmessage = ({ data }: MessageEvent<Request>) => {
    if ('cancel' in data) cancels.get(data.cancel)?.abort();
    else void answer(data);
  };
}

function stateOf(session: LoadedModel): SessionState {
  const { backend, memory } = session;
  if (session.backend === 'wasm') return { backend, memory };
  const { adapter, dtype, dtypeFallback, tuned } = session;
  return { backend, memory, adapter, dtype, dtypeFallback, tuned };
}

type Hooks = { readonly signal: AbortSignal; readonly onProgress: (progress: unknown) => void };

async function perform(session: LoadedModel, method: Exclude<Request, { cancel: number }>['method'], args: readonly unknown[], hooks: Hooks): Promise<unknown> {
  const [input, ...rest] = args as [never, ...unknown[]];
  switch (method) {
    case 'run':
    case 'runTimed':
    case 'classify':
      return session[method](input, { ...(rest[0] as object | undefined), signal: hooks.signal });
    case 'dispose':
      return session.dispose();
    case 'features':
    case 'tune':
    case 'selfTest': {
      if (session.backend === 'wasm') throw new CompConvError('invalid-argument', `${method}: the network runs without WebGPU, which it takes`);
      if (method === 'features') return session.features(input, rest[0] as readonly string[], { ...(rest[1] as object | undefined), signal: hooks.signal });
      return session[method]({ ...(rest[0] as object | undefined), ...hooks });
    }
    default:
      throw new CompConvError('internal', `the worker knows no "${method}": is it of another version of compconv-webgpu than the page?`);
  }
}
