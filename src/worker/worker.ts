/** `compconv-webgpu/worker`: the engine in a worker of the app's. Re-exports only; who only connects ships no engine. */
export { serve, type ServeOptions } from './serve.ts';
export { connect, type ConnectOptions, type RemoteEngine, type RemoteLoadOptions, type RemoteSession } from './connect.ts';
export { CompConvError, type ErrorCode } from '../errors.ts';
// The types that these speak of, so that a page needs no other entry.
export type { NetworkCost } from '../graph/cost.ts';
export type { Graph } from '../graph/graph.ts';
export type { FallbackOptions, LoadedModel, LoadProgress } from '../load/load-model.ts';
export type { ModelSource } from '../models/read-model.ts';
export type { AdapterDescription } from '../runtime/device.ts';
export type { RunResult } from '../runtime/gpu-network.ts';
export type { SelfTestOptions, SelfTestProgress, SelfTestReport } from '../runtime/self-test.ts';
export type { RunOptions, SessionMemory, TuneOptions } from '../runtime/session-options.ts';
export type { SessionInput } from '../runtime/session-input.ts';
export type { TuningProgress, TuningReport } from '../runtime/tuner.ts';
export type { Dtype } from '../tensor/dtype.ts';
export type { Tensor } from '../tensor/tensor.ts';
export type { ImageSource, RawImage } from '../vision/image-source.ts';
export type { Classification } from '../vision/top-k.ts';
