// depthwise-conv2d: one k x k filter per channel, on the first outVectors vec4s of each input pixel. A store file (store.wgsl
// or store-parts.wgsl) is appended.
//
//   sum[n, oy, ox, c] = bias[c] + sum over ky, kx of x[n, oy s - p + ky, ox s - p + kx, c] w[ky, kx, c]
//
//   x        [N, H, W, inVectors] vec4
//   weights  [k, k, outVectors] vec4, 0 in the lanes past the last channel
//   params   begins with the bias: [outVectors] vec4
//
// One invocation computes one vec4 of channels of one pixel.

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,
  pixels: u32, // N OH OW
  kernelSize: u32,
  stride: u32,
  padding: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> weights: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  let pixel = index / sizes.outVectors;
  if (pixel >= sizes.pixels) { return; }
  let vector = index - pixel * sizes.outVectors;
  let row = pixel / sizes.outWidth;
  let n = row / sizes.outHeight;
  let image = i32(n * sizes.inHeight);
  let top = i32((row - n * sizes.outHeight) * sizes.stride) - i32(sizes.padding);
  let left = i32((pixel - row * sizes.outWidth) * sizes.stride) - i32(sizes.padding);

  var sum = params[vector];
  var w = vector;
  let kernelSize = i32(sizes.kernelSize);
  for (var ky = 0; ky < kernelSize; ky++) {
    let inRow = u32(top + ky) < sizes.inHeight;
    for (var kx = 0; kx < kernelSize; kx++) {
      if (inRow && u32(left + kx) < sizes.inWidth) {
        let source = u32((image + top + ky) * i32(sizes.inWidth) + left + kx);
        sum += vec4f(x[source * sizes.inVectors + vector]) * vec4f(weights[w]);
      }
      w += sizes.outVectors;
    }
  }
  store(pixel, sum, storesOf(vector));
}
