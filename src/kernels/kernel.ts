/**
 * The vocabulary between ops and the GPU: a kernel is a WGSL file and what it binds; a dispatch is one call of it, with
 * values and constants still by name. All plain data: nothing here knows a device.
 */
import codeAtLeast from '../../shaders/at-least.wgsl?raw';
import type { ChannelLayout } from '../tensor/channel-layout.ts';
import type { Dtype } from '../tensor/dtype.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { Constant } from './constants.ts';

/** A GPU program, in terms of the element type `Stored`, a vec4, and its lanes `StoredLane`. Its bindings are storage buffers in this order, and the uniform `Sizes`. */
export interface Kernel {
  /** Stem of the file in `shaders/` that is its own, and what tells kernels of the same file apart. */
  readonly name: string;
  readonly code: string;
  /** WGSL directives that must come before anything else. */
  readonly directives?: readonly string[];
  /** Names of the storage bindings: those that are read, then those that are written. */
  readonly bindings: readonly string[];
  /** Those of the bindings that are textures, read through a nearest sampler. Default none. */
  readonly textures?: readonly string[];
  /** How many of the bindings, the last ones, are written. */
  readonly written: number;
  /** Fields of the WGSL struct `Sizes`, all u32, in order. */
  readonly sizes: readonly string[];
  /** Fields of the struct `Stores`, in kernels that end in a store file. */
  readonly stores?: readonly string[];
}

/** Where uniforms are bound: `Sizes`, then `Stores`. Storage bindings, of which every adapter has eight, are numbered from 0. */
export const FIRST_UNIFORM_BINDING = 8;

/** Where the sampler is bound, in kernels that have textures. */
export const SAMPLER_BINDING = 10;

/** WGSL that stores activations and weights as `dtype`, the one place that knows the element type; with what all kernels have in common. */
export function moduleCode({ code, directives = [] }: Pick<Kernel, 'code' | 'directives'>, dtype: Dtype): string {
  const lane = dtype === 'f16' ? 'f16' : 'f32';
  const enables = dtype === 'f16' ? ['enable f16;', ...directives] : directives;
  return [...enables, `alias StoredLane = ${lane};`, `alias Stored = vec4<${lane}>;`, codeAtLeast, code].join('\n');
}

/** The uniform structs of a kernel, each as its fields. */
export function uniformStructs({ sizes, stores }: Kernel): readonly (readonly string[])[] {
  return stores ? [sizes, stores] : [sizes];
}

/** What a dispatch binds: an activation by its value's name, a packed constant by its key, or nothing that it would use. */
export type BufferRef = { readonly value: string } | { readonly constant: string } | { readonly unused: true };

/** One kernel call. */
export interface KernelCall {
  /** The value it computes, or helps to compute. */
  readonly label: string;
  readonly kernel: Kernel;
  /** Pipeline-overridable constants: what changes the code. */
  readonly overrides: Readonly<Record<string, number>>;
  /** Values of the uniforms' fields. */
  readonly sizes: Readonly<Record<string, number>>;
  /** One per binding of the kernel. */
  readonly buffers: readonly BufferRef[];
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** Where there are several kernels for the same work: which, the one expected to be fastest first. */
  readonly choice?: Choice;
  /** Multiply-accumulates that the formula counts; what a kernel spends on padding is not in it. */
  readonly macs: number;
}

/** A kernel call in a plan. */
export interface Dispatch extends KernelCall {
  /** The node of the graph that it carries out, or helps to: a CompConv's are all of its own, whatever became of it. */
  readonly layer: string;
}

/** Kernels that can do the same work. */
export interface Choice {
  /** Tells work apart that takes different time: shapes, stores. */
  readonly signature: string;
  /** Names of the kernels. */
  readonly candidates: readonly string[];
}

/** Names of the values that a dispatch reads and writes. */
export function valuesOf({ kernel, buffers }: KernelCall): { read: string[]; written: string[] } {
  const names = (refs: readonly BufferRef[]) => refs.flatMap((ref) => ('value' in ref ? [ref.value] : []));
  const firstWritten = buffers.length - kernel.written;
  return { read: names(buffers.slice(0, firstWritten)), written: names(buffers.slice(firstWritten)) };
}

/** What lowering an op gives: dispatches in order, the constants they bind, and values of its own in between, in the graph's order. */
export interface Lowered {
  readonly dispatches: readonly KernelCall[];
  readonly constants: readonly Constant[];
  readonly temporaries?: ReadonlyMap<string, ImageShape>;
}

/** What of an adapter decides which kernels there are: limits by WebGPU's names, in bytes and counts. */
export interface KernelLimits {
  readonly maxTextureDimension2D: number;
  /** Whether the adapter computes on the processor, where other kernels are fast. Default false. */
  readonly isSoftware?: boolean;
  /** Whether it also has subgroups, for kernels whose quads share their loads. Default false. */
  readonly hasQuads?: boolean;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}

/** What lowering an op needs to know of the values and the adapter around it. */
export interface Surroundings {
  readonly limits: KernelLimits;
  /** How activations and weights are stored. */
  readonly dtype: Dtype;
  /** Name of the kernel to take, by signature of the work; where there is none, a prediction decides. */
  readonly choices?: ReadonlyMap<string, string>;
  /** How the channels of a value, or of an op's result, lie. */
  layoutOf(value: string): ChannelLayout;
}

/** Invocations of a workgroup, but for kernels that say otherwise. */
export const WORKGROUP_SIZE = 64;

/** Workgroup counts for `invocations`, folded into two dimensions where one would overflow. */
export function linearWorkgroups(invocations: number, limits: KernelLimits, workgroupSize = WORKGROUP_SIZE): [number, number, number] {
  const groups = Math.ceil(invocations / workgroupSize);
  const rows = Math.ceil(groups / limits.maxComputeWorkgroupsPerDimension);
  return [Math.ceil(groups / rows), rows, 1];
}
