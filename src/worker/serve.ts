/**
 * The worker's side: loads models and runs them for whoever connects. The app's own worker calls `serve()`; nothing else of it is
 * touched, so that it may have messages of its own.
 */
import { CompConvError } from '../errors.ts';
import { loadModel, type LoadedModel, type FallbackOptions } from '../load/load-model.ts';
import { holdLifeline } from './lifeline.ts';
import { packError, PORT, type CallRequest, type Introduction, type Reply, type Request, type SessionFacts, type SessionMethod, type SessionState } from './protocol.ts';
import { isFrame, transfersOf } from './transfer.ts';

/** Options that do not cross from a page: functions, caches, devices. They hold for every model; those of the page's `loadModel` win. */
export type ServeOptions = Omit<FallbackOptions, 'signal' | 'onProgress' | 'onDeviceLost'>;

/**
 * Serves every page that connects to this worker with `connect`. Call it while the worker's script runs, before anything is awaited:
 * the first message may be there already.
 */
export function serve(options: ServeOptions = {}): void {
  addEventListener('message', (event: MessageEvent<unknown>) => {
    if (!isIntroduction(event.data)) return;
    // It would mean nothing to listeners of the app's.
    event.stopImmediatePropagation();
    servePort(event.data, options);
  });
}

function isIntroduction(data: unknown): data is Introduction {
  return typeof data === 'object' && data !== null && (data as Partial<Introduction>)[PORT] instanceof MessagePort;
}

function servePort({ [PORT]: port, lifeline }: Introduction, shared: ServeOptions): void {
  /** By the call that loaded them. */
  const sessions = new Map<number, LoadedModel>();
  const running = new Map<number, AbortController>();
  const send = (reply: Reply, transfer: Transferable[] = []) => port.postMessage(reply, transfer);

  const load = async (call: number, source: unknown, options: object, hooks: Hooks) => {
    const onDeviceLost = (error: CompConvError) => send({ lost: call, error: packError(error) });
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    const session = await loadModel(source as never, { ...shared, ...given, ...hooks, onDeviceLost });
    // Cancelled at the last moment: nobody would dispose of it.
    if (hooks.signal.aborted) return session.dispose();
    sessions.set(call, session);
    await begun;
    const { graph, cost, model } = session;
    send({ call, result: { graph, cost, labels: model.labels } satisfies SessionFacts, state: stateOf(session) });
  };

  const answer = async (request: CallRequest) => {
    const { call } = request;
    const controller = new AbortController();
    running.set(call, controller);
    const hooks: Hooks = { signal: controller.signal, onProgress: (progress) => send({ call, progress }) };
    try {
      if (request.method === 'loadModel') return await load(call, request.source, request.options, hooks);
      const session = sessions.get(request.session);
      if (!session) throw new CompConvError('disposed', 'the session was disposed; load the model again');
      if (request.method === 'dispose') sessions.delete(request.session);
      const result = await perform(session, request.method, request.args, hooks);
      await begun;
      send({ call, result, state: sessions.has(request.session) ? stateOf(session) : undefined }, transfersOf(result));
    } catch (error) {
      await begun;
      send({ call, error: packError(error) });
    } finally {
      running.delete(call);
      // Moved here, so nobody else's to close; a camera waits for its frames.
      if ('args' in request) for (const image of transfersOf(request.args)) if (isFrame(image)) image.close();
    }
  };

  const end = () => {
    for (const controller of running.values()) controller.abort();
    for (const session of sessions.values()) session.dispose();
    sessions.clear();
    port.close();
    void held.then((release) => release?.());
  };

  const cancel = (call: number) => {
    running.get(call)?.abort();
    // A model that was loaded before the page's word came, which knows nothing of it.
    sessions.get(call)?.dispose();
    sessions.delete(call);
  };

  port.onmessage = ({ data }: MessageEvent<Request>) => {
    if ('end' in data) end();
    else if ('cancel' in data) cancel(data.cancel);
    else void answer(data);
  };
  // Whoever sent it would wait for ever.
  port.onmessageerror = end;
  const held = holdLifeline(lifeline);
  // Before any answer, so that whoever has one also learns when this worker is gone.
  const begun = held.then((release) => send({ ready: true, hasLifeline: release !== undefined }));
}

function stateOf(session: LoadedModel): SessionState {
  const { backend, memory } = session;
  if (session.backend === 'wasm') return { backend, memory, reason: session.reason };
  const { adapter, dtype, dtypeFallback, tuned } = session;
  return { backend, memory, adapter, dtype, dtypeFallback, tuned };
}

interface Hooks {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: unknown) => void;
}

async function perform(session: LoadedModel, method: SessionMethod, args: readonly unknown[], { signal, onProgress }: Hooks): Promise<unknown> {
  const [input, options, layers] = args as [never, object | undefined, readonly string[]];
  switch (method) {
    case 'run':
    case 'runTimed':
    case 'classify':
      return session[method](input, { ...options, signal });
    case 'dispose':
      return session.dispose();
    case 'features':
    case 'tune':
    case 'selfTest':
      if (session.backend === 'wasm') throw new CompConvError('invalid-argument', `${method}: the network runs without WebGPU, which it takes`);
      if (method === 'features') return session.features(input, layers, { ...options, signal });
      return session[method]({ ...options, signal, onProgress });
    default:
      throw new CompConvError('internal', `the worker knows no "${String(method)}": is it of another version of compconv-webgpu than the page?`);
  }
}
