/** The public API of `compconv-webgpu`. Re-exports only; importing it touches nothing. */
export { CompConvError, type ErrorCode } from './errors.ts';
export { tensor, type Tensor } from './tensor/tensor.ts';
export type { Dtype } from './tensor/dtype.ts';
export type { ImageShape } from './tensor/image-shape.ts';
export type { AttrsOf, Node, OpAttrs, OpName } from './ops/node.ts';
export type { InputAttrs } from './ops/input.ts';
export type { Conv2dAttrs } from './ops/conv2d.ts';
export type { DepthwiseConv2dAttrs } from './ops/depthwise-conv2d.ts';
export type { CompConvAttrs, Inner } from './ops/comp-conv.ts';
export type { BatchNormAttrs } from './ops/batch-norm.ts';
export type { ChannelBiasAttrs } from './ops/channel-bias.ts';
export type { ReluAttrs } from './ops/relu.ts';
export type { AddAttrs } from './ops/add.ts';
export type { ChannelSliceAttrs } from './ops/channel-slice.ts';
export type { ChannelConcatAttrs } from './ops/channel-concat.ts';
export type { ChannelShuffleAttrs } from './ops/channel-shuffle.ts';
export type { MaxPoolAttrs } from './ops/max-pool.ts';
export type { AvgPoolAttrs } from './ops/avg-pool.ts';
export type { LinearAttrs } from './ops/linear.ts';
export type { SoftmaxAttrs } from './ops/softmax.ts';
export type { SlidingWindow } from './ops/window.ts';
export { adaptiveDepth, compConvChannels, type CompConvChannels, type Depth, type ReplacedConv } from './ops/comp-conv-channels.ts';
export { defineGraph, graphParams, withInputShape, type Graph } from './graph/graph.ts';
export { GraphBuilder, type ConvOptions } from './graph/builder.ts';
export { networkCost, type Cost, type LayerCost, type NetworkCost } from './graph/cost.ts';
export { compress, type CompConvOptions } from './models/compress.ts';
export { architectures, createNetwork, type InputSize, type NetworkOptions } from './models/network.ts';
export type { Preprocess } from './models/preprocess.ts';
export { readModel, seededModel, type ReadOptions, type Model, type ModelSource, type NetworkModel } from './models/read-model.ts';
export { loadModel, type FallbackOptions, type LoadedModel, type LoadModelOptions, type LoadProgress } from './load/load-model.ts';
export type { FetchOptions } from './bytes/byte-source.ts';
export { openModelCache, type CachedModel, type CacheWriter, type ModelCache, type Validators } from './bytes/model-cache.ts';
export { parseSafetensors, writeSafetensors, type SafetensorsFile, type WritableDtype } from './weights/safetensors.ts';
export { seededWeights } from './weights/seeded.ts';
export type { Weights } from './weights/weights.ts';
export type { KernelLimits } from './kernels/kernel.ts';
export type { DenseLayout } from './kernels/pack-input.ts';
export { DEFAULT_LIMITS, passNames, schedule, type PassName, type ScheduleLimits, type ScheduleOptions } from './scheduler/schedule.ts';
export { printPlan, schedules, summarizePlan, type Plan, type ScheduleName, type PlanSummary } from './scheduler/plan.ts';
export type { AdapterDescription, DeviceLimits, DeviceOptions } from './runtime/device.ts';
export {
  createSession,
  Session,
  type RunOptions,
  type SessionMemory,
  type SessionOptions,
  type SessionProgress,
  type TuneOptions,
} from './runtime/session.ts';
export type { RunResult } from './runtime/gpu-network.ts';
export type { GpuTensor, GpuTensorInput } from './runtime/gpu-tensor.ts';
export type { WasmSession } from './fallback/wasm-session.ts';
export type { SessionInput } from './runtime/session-input.ts';
export type { SelfTestOptions, SelfTestProgress, SelfTestReport, VariantReport } from './runtime/self-test.ts';
export type { SignatureReport, TuningProgress, TuningReport } from './runtime/tuner.ts';
export type { TunedSignature, TuningCache, TuningRecord } from './runtime/tuning-cache.ts';
export { indexedDbTuningCache } from './runtime/indexed-db-cache.ts';
export type { ImageSource, RawImage } from './vision/image-source.ts';
export type { Classification } from './vision/top-k.ts';
