/** Element types of what lies on the GPU. Sums are float32 in every case; `f16` is how activations and weights are stored. */

export const dtypes = ['f32', 'f16'] as const;
/** How activations and weights are stored. */
export type Dtype = (typeof dtypes)[number];

export function bytesPerElement(dtype: Dtype): number {
  return dtype === 'f16' ? 2 : 4;
}
