/**
 * The vocabulary between ops and the GPU: a kernel is a WGSL file and what it binds; a dispatch is one call of it, with
 * values and constants still by name. All plain data: nothing here knows a device.
 */
import type { ImageShape } from '../tensor/image-shape.ts';
import type { Constant } from './constants.ts';

/** A GPU program. Its bindings are storage buffers in this order, then the uniform `Sizes`. */
export interface Kernel {
  /** Stem of the file in `shaders/`. */
  readonly name: string;
  readonly code: string;
  /** Names of the storage bindings; the last one is written, the others are read. */
  readonly bindings: readonly string[];
  /** Fields of the WGSL struct `Sizes`, all u32, in order. */
  readonly sizes: readonly string[];
}

/** What a dispatch binds: an activation by its value's name, or a packed constant by its key. */
export type BufferRef = { readonly value: string } | { readonly constant: string };

/** One kernel call. */
export interface Dispatch {
  /** The value it computes, or helps to compute. */
  readonly label: string;
  readonly kernel: Kernel;
  /** Pipeline-overridable constants: what changes the code. */
  readonly overrides: Readonly<Record<string, number>>;
  readonly sizes: Readonly<Record<string, number>>;
  /** One per binding of the kernel. */
  readonly buffers: readonly BufferRef[];
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** Multiply-accumulates that the formula counts; what a kernel spends on padding is not in it. */
  readonly macs: number;
}

/** What lowering an op gives: dispatches in order, the constants they bind, and values of its own in between. */
export interface Lowered {
  readonly dispatches: readonly Dispatch[];
  readonly constants: readonly Constant[];
  readonly temporaries?: ReadonlyMap<string, ImageShape>;
}

/** What of an adapter's limits decides how ops are lowered. */
export interface KernelLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}

const WORKGROUP_SIZE = 64;

/** Workgroup counts for `invocations` in workgroups of 64, folded into two dimensions where one would overflow. */
export function linearWorkgroups(invocations: number, limits: KernelLimits): [number, number, number] {
  const groups = Math.ceil(invocations / WORKGROUP_SIZE);
  const rows = Math.ceil(groups / limits.maxComputeWorkgroupsPerDimension);
  return [Math.ceil(groups / rows), rows, 1];
}
