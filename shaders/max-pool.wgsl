// max-pool: the largest value in each k x k window; the padding never wins.
//
//   x  [N, H, W, vectors] vec4
//   y  [N, OH, OW, vectors] vec4
//
// One invocation computes one vec4 of channels of one pixel. The window is clipped to the image first; it is never
// empty, since the padding is at most half the kernel.

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  outHeight: u32,
  outWidth: u32,
  vectors: u32,
  outputs: u32, // N OH OW vectors
  kernelSize: u32,
  stride: u32,
  padding: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.outputs) { return; }
  let vector = index % sizes.vectors;
  let pixel = index / sizes.vectors;
  let row = pixel / sizes.outWidth;
  let image = row / sizes.outHeight * sizes.inHeight;
  let top = i32(row % sizes.outHeight * sizes.stride) - i32(sizes.padding);
  let left = i32(pixel % sizes.outWidth * sizes.stride) - i32(sizes.padding);
  let yBegin = u32(max(top, 0));
  let xBegin = u32(max(left, 0));
  let yEnd = min(u32(top + i32(sizes.kernelSize)), sizes.inHeight);
  let xEnd = min(u32(left + i32(sizes.kernelSize)), sizes.inWidth);

  var value = vec4f(x[((image + yBegin) * sizes.inWidth + xBegin) * sizes.vectors + vector]);
  for (var iy = yBegin; iy < yEnd; iy++) {
    for (var ix = xBegin; ix < xEnd; ix++) {
      let next = vec4f(x[((image + iy) * sizes.inWidth + ix) * sizes.vectors + vector]);
      value = select(atLeast(value, next), next, isNan(next));
    }
  }
  y[index] = Stored(value);
}
