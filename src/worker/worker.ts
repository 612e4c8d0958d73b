/** `compconv-webgpu/worker`: the engine in a worker of the app's. Re-exports only; who only connects ships no engine. */
export { serve, type ServeOptions } from './serve.ts';
export { connect, type RemoteEngine, type RemoteLoadOptions, type RemoteSession } from './connect.ts';
export { CompConvError, type ErrorCode } from '../errors.ts';
