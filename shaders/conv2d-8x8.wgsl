// conv2d, tile of 8 pixels x 8 output channels per invocation.
//
//   y[n, oy, ox, o] = relu?(bias[o] + sum over ky, kx, ci of x[n, oy s - p + ky, ox s - p + kx, ci] w[ky, kx, ci, o]
//                           + residual[n, oy, ox, o])
//
//   x        [N, H, W, inVectors] vec4, padding lanes 0
//   weights  [k, k, 4 groupVectors, weightVectors] vec4 over output channels, BatchNorm folded in
//   bias     [weightVectors] vec4
//   residual [N, OH, OW, outVectors] vec4, read only if sizes.residual is 1
//   y        [N, OH, OW, outVectors] vec4
//
// Invocations are numbered with the output channels fastest, so neighbours share pixels and read adjacent weights, and
// a narrow layer leaves no invocation idle. Accumulators are named registers: a loop-indexed array would go to memory.
// Sizes are uniforms rather than constants: one pipeline then serves all layers, batches and image sizes.

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,
  pixels: u32,         // N OH OW
  tiles: u32,          // invocations: channel tiles x pixel tiles
  channelTiles: u32,
  kernelSize: u32,
  stride: u32,
  padding: u32,
  groupVectors: u32,    // input vec4s that one output reads
  groupOutVectors: u32, // output vec4s of one group
  weightVectors: u32,
  residual: u32,
  relu: u32,
}

// Whether a window can reach outside the image. Without, the inner loop has no select.
override PADDED: bool = true;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<uniform> sizes: Sizes;

// Top left input pixel of an output pixel's window: (image's first row, row, column).
fn window(pixel: u32) -> vec3i {
  let row = pixel / sizes.outWidth;
  let top = (row % sizes.outHeight) * sizes.stride;
  let left = (pixel % sizes.outWidth) * sizes.stride;
  let image = row / sizes.outHeight * sizes.inHeight;
  return vec3i(i32(image), i32(top) - i32(sizes.padding), i32(left) - i32(sizes.padding));
}

fn inside(w: vec3i, ky: i32, kx: i32) -> bool {
  return !PADDED || (u32(w.y + ky) < sizes.inHeight && u32(w.z + kx) < sizes.inWidth);
}

// First vec4 of the input pixel under a tap, 0 where the tap is outside.
fn tap(w: vec3i, ky: i32, kx: i32, isInside: bool) -> u32 {
  return select(0u, u32((w.x + w.y + ky) * i32(sizes.inWidth) + w.z + kx) * sizes.inVectors, isInside);
}

fn load(index: u32, isInside: bool) -> vec4f {
  if (PADDED) { return select(vec4f(0), x[index], isInside); }
  return x[index];
}

fn store(pixel: u32, vector: u32, sum: vec4f) {
  if (pixel >= sizes.pixels || vector >= sizes.outVectors) { return; }
  let index = pixel * sizes.outVectors + vector;
  var value = sum;
  if (sizes.residual != 0) { value += residual[index]; }
  if (sizes.relu != 0) { value = max(value, vec4f(0)); }
  y[index] = value;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let tile = (group.y * groups.x + group.x) * 64 + local;
  if (tile >= sizes.tiles) { return; }
  let vector = tile % sizes.channelTiles * 2;
  let pixel = tile / sizes.channelTiles * 8;
  let firstInput = vector / sizes.groupOutVectors * sizes.groupVectors;
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  let p0 = window(pixel);
  let p1 = window(min(pixel + 1, last));
  let p2 = window(min(pixel + 2, last));
  let p3 = window(min(pixel + 3, last));
  let p4 = window(min(pixel + 4, last));
  let p5 = window(min(pixel + 5, last));
  let p6 = window(min(pixel + 6, last));
  let p7 = window(min(pixel + 7, last));

  let bias0 = bias[vector];
  let bias1 = bias[vector + 1];
  var a00 = bias0; var a01 = bias1;
  var a10 = bias0; var a11 = bias1;
  var a20 = bias0; var a21 = bias1;
  var a30 = bias0; var a31 = bias1;
  var a40 = bias0; var a41 = bias1;
  var a50 = bias0; var a51 = bias1;
  var a60 = bias0; var a61 = bias1;
  var a70 = bias0; var a71 = bias1;

  var w = vector;
  let kernelSize = i32(sizes.kernelSize);
  for (var ky = 0; ky < kernelSize; ky++) {
    for (var kx = 0; kx < kernelSize; kx++) {
      let in0 = inside(p0, ky, kx);
      let in1 = inside(p1, ky, kx);
      let in2 = inside(p2, ky, kx);
      let in3 = inside(p3, ky, kx);
      let in4 = inside(p4, ky, kx);
      let in5 = inside(p5, ky, kx);
      let in6 = inside(p6, ky, kx);
      let in7 = inside(p7, ky, kx);
      let t0 = tap(p0, ky, kx, in0) + firstInput;
      let t1 = tap(p1, ky, kx, in1) + firstInput;
      let t2 = tap(p2, ky, kx, in2) + firstInput;
      let t3 = tap(p3, ky, kx, in3) + firstInput;
      let t4 = tap(p4, ky, kx, in4) + firstInput;
      let t5 = tap(p5, ky, kx, in5) + firstInput;
      let t6 = tap(p6, ky, kx, in6) + firstInput;
      let t7 = tap(p7, ky, kx, in7) + firstInput;
      for (var ci = 0u; ci < sizes.groupVectors; ci++) {
        let x0 = load(t0 + ci, in0);
        let x1 = load(t1 + ci, in1);
        let x2 = load(t2 + ci, in2);
        let x3 = load(t3 + ci, in3);
        let x4 = load(t4 + ci, in4);
        let x5 = load(t5 + ci, in5);
        let x6 = load(t6 + ci, in6);
        let x7 = load(t7 + ci, in7);

        let wx0 = weights[w]; let wx1 = weights[w + 1];
        a00 += x0.x * wx0; a01 += x0.x * wx1;
        a10 += x1.x * wx0; a11 += x1.x * wx1;
        a20 += x2.x * wx0; a21 += x2.x * wx1;
        a30 += x3.x * wx0; a31 += x3.x * wx1;
        a40 += x4.x * wx0; a41 += x4.x * wx1;
        a50 += x5.x * wx0; a51 += x5.x * wx1;
        a60 += x6.x * wx0; a61 += x6.x * wx1;
        a70 += x7.x * wx0; a71 += x7.x * wx1;
        w += sizes.weightVectors;

        let wy0 = weights[w]; let wy1 = weights[w + 1];
        a00 += x0.y * wy0; a01 += x0.y * wy1;
        a10 += x1.y * wy0; a11 += x1.y * wy1;
        a20 += x2.y * wy0; a21 += x2.y * wy1;
        a30 += x3.y * wy0; a31 += x3.y * wy1;
        a40 += x4.y * wy0; a41 += x4.y * wy1;
        a50 += x5.y * wy0; a51 += x5.y * wy1;
        a60 += x6.y * wy0; a61 += x6.y * wy1;
        a70 += x7.y * wy0; a71 += x7.y * wy1;
        w += sizes.weightVectors;

        let wz0 = weights[w]; let wz1 = weights[w + 1];
        a00 += x0.z * wz0; a01 += x0.z * wz1;
        a10 += x1.z * wz0; a11 += x1.z * wz1;
        a20 += x2.z * wz0; a21 += x2.z * wz1;
        a30 += x3.z * wz0; a31 += x3.z * wz1;
        a40 += x4.z * wz0; a41 += x4.z * wz1;
        a50 += x5.z * wz0; a51 += x5.z * wz1;
        a60 += x6.z * wz0; a61 += x6.z * wz1;
        a70 += x7.z * wz0; a71 += x7.z * wz1;
        w += sizes.weightVectors;

        let ww0 = weights[w]; let ww1 = weights[w + 1];
        a00 += x0.w * ww0; a01 += x0.w * ww1;
        a10 += x1.w * ww0; a11 += x1.w * ww1;
        a20 += x2.w * ww0; a21 += x2.w * ww1;
        a30 += x3.w * ww0; a31 += x3.w * ww1;
        a40 += x4.w * ww0; a41 += x4.w * ww1;
        a50 += x5.w * ww0; a51 += x5.w * ww1;
        a60 += x6.w * ww0; a61 += x6.w * ww1;
        a70 += x7.w * ww0; a71 += x7.w * ww1;
        w += sizes.weightVectors;
      }
    }
  }

  store(pixel, vector, a00); store(pixel, vector + 1, a01);
  store(pixel + 1, vector, a10); store(pixel + 1, vector + 1, a11);
  store(pixel + 2, vector, a20); store(pixel + 2, vector + 1, a21);
  store(pixel + 3, vector, a30); store(pixel + 3, vector + 1, a31);
  store(pixel + 4, vector, a40); store(pixel + 4, vector + 1, a41);
  store(pixel + 5, vector, a50); store(pixel + 5, vector + 1, a51);
  store(pixel + 6, vector, a60); store(pixel + 6, vector + 1, a61);
  store(pixel + 7, vector, a70); store(pixel + 7, vector + 1, a71);
}
