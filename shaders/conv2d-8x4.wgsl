// conv2d, tile of 8 pixels x 4 output channels per invocation.
//
//   y[n, oy, ox, o] = relu?(bias[o] + sum over ky, kx, ci of x[n, oy s - p + ky, ox s - p + kx, ci] w[ky, kx, ci, o]
//                           + residual[n, oy, ox, o])
//
//   x        [N, H, W, inVectors] vec4, padding lanes 0
//   weights  [k, k, 4 groupVectors, weightVectors] vec4 over output channels, BatchNorm folded in
//   bias     [weightVectors] vec4
//   residual [N, OH, OW, outVectors] vec4, read only if RESIDUAL
//   y        [N, OH, OW, outVectors] vec4
//
// Invocations are numbered with the output channels fastest, so neighbours share pixels and read adjacent weights, and
// a narrow layer leaves no invocation idle. Accumulators are named registers: a loop-indexed array would go to memory.
// Sizes are uniforms rather than constants: one pipeline then serves all layers, batches and image sizes.
//
// In NHWC one row of a window is one contiguous run of vec4s, over columns and channels. The inner loop walks that run
// (a run per column where there are groups), and clipping at the image's left and right is a range of it.

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,
  pixels: u32,          // N OH OW
  tiles: u32,           // invocations: channel tiles x pixel tiles
  channelTiles: u32,
  kernelSize: u32,
  stride: u32,
  padding: u32,
  runs: u32,            // contiguous runs in one row of a window: 1, or kernelSize where there are groups
  runVectors: u32,      // vec4s of a run
  groupVectors: u32,    // input vec4s that one output reads
  groupOutVectors: u32, // output vec4s of one group
  weightVectors: u32,
  relu: u32,
}

// Whether a window can reach outside the image. Without, the inner loop tests nothing.
override PADDED: bool = true;
// Whether a residual is added. Fixed per pipeline: some adapters run both sides of a branch, loads included.
override RESIDUAL: bool = false;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<uniform> sizes: Sizes;

// Where an output pixel looks. Counted in vec4s from its window's left edge.
struct Window {
  start: i32,      // of the first row's left edge in x; negative where padding lies before the image
  top: i32,        // row of the image
  firstInside: u32,
  inside: u32,     // how many, from firstInside on, lie inside the image
}

fn window(pixel: u32) -> Window {
  let row = pixel / sizes.outWidth;
  let image = row / sizes.outHeight;
  let top = i32((row - image * sizes.outHeight) * sizes.stride) - i32(sizes.padding);
  let left = i32((pixel - row * sizes.outWidth) * sizes.stride) - i32(sizes.padding);
  let start = ((i32(image * sizes.inHeight) + top) * i32(sizes.inWidth) + left) * i32(sizes.inVectors);
  let first = u32(max(-left, 0)) * sizes.inVectors;
  return Window(start, top, first, u32(i32(sizes.inWidth) - left) * sizes.inVectors - first);
}

// How much of a window's row `ky` lies inside the image.
fn rowInside(w: Window, ky: u32) -> u32 {
  return select(0, w.inside, u32(w.top + i32(ky)) < sizes.inHeight);
}

// The vec4 `offset` into a row that begins at `start`.
fn load(start: i32, offset: u32, w: Window, inside: u32) -> vec4f {
  let index = u32(start + i32(offset));
  if (!PADDED) { return x[index]; }
  let isInside = offset - w.firstInside < inside;
  return select(vec4f(0), x[select(0, index, isInside)], isInside);
}

fn store(pixel: u32, vector: u32, sum: vec4f) {
  if (pixel >= sizes.pixels || vector >= sizes.outVectors) { return; }
  let index = pixel * sizes.outVectors + vector;
  var value = sum;
  if (RESIDUAL) { value += residual[index]; }
  if (sizes.relu != 0) { value = max(value, vec4f(0)); }
  y[index] = value;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let tile = (group.y * groups.x + group.x) * 64 + local;
  if (tile >= sizes.tiles) { return; }
  let pixelTile = tile / sizes.channelTiles;
  let vector = (tile - pixelTile * sizes.channelTiles);
  let pixel = pixelTile * 8;
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
  var a00 = bias0;
  var a10 = bias0;
  var a20 = bias0;
  var a30 = bias0;
  var a40 = bias0;
  var a50 = bias0;
  var a60 = bias0;
  var a70 = bias0;

  var w = vector;
  for (var ky = 0u; ky < sizes.kernelSize; ky++) {
    let down = i32(ky * sizes.inWidth * sizes.inVectors);
    let s0 = p0.start + down;
    let s1 = p1.start + down;
    let s2 = p2.start + down;
    let s3 = p3.start + down;
    let s4 = p4.start + down;
    let s5 = p5.start + down;
    let s6 = p6.start + down;
    let s7 = p7.start + down;
    let n0 = rowInside(p0, ky);
    let n1 = rowInside(p1, ky);
    let n2 = rowInside(p2, ky);
    let n3 = rowInside(p3, ky);
    let n4 = rowInside(p4, ky);
    let n5 = rowInside(p5, ky);
    let n6 = rowInside(p6, ky);
    let n7 = rowInside(p7, ky);
    for (var run = 0u; run < sizes.runs; run++) {
      let begin = run * sizes.inVectors + firstInput;
      let end = begin + sizes.runVectors;
      for (var i = begin; i < end; i++) {
        let x0 = load(s0, i, p0, n0);
        let x1 = load(s1, i, p1, n1);
        let x2 = load(s2, i, p2, n2);
        let x3 = load(s3, i, p3, n3);
        let x4 = load(s4, i, p4, n4);
        let x5 = load(s5, i, p5, n5);
        let x6 = load(s6, i, p6, n6);
        let x7 = load(s7, i, p7, n7);

        let wx0 = weights[w];
        a00 += x0.x * wx0;
        a10 += x1.x * wx0;
        a20 += x2.x * wx0;
        a30 += x3.x * wx0;
        a40 += x4.x * wx0;
        a50 += x5.x * wx0;
        a60 += x6.x * wx0;
        a70 += x7.x * wx0;
        w += sizes.weightVectors;

        let wy0 = weights[w];
        a00 += x0.y * wy0;
        a10 += x1.y * wy0;
        a20 += x2.y * wy0;
        a30 += x3.y * wy0;
        a40 += x4.y * wy0;
        a50 += x5.y * wy0;
        a60 += x6.y * wy0;
        a70 += x7.y * wy0;
        w += sizes.weightVectors;

        let wz0 = weights[w];
        a00 += x0.z * wz0;
        a10 += x1.z * wz0;
        a20 += x2.z * wz0;
        a30 += x3.z * wz0;
        a40 += x4.z * wz0;
        a50 += x5.z * wz0;
        a60 += x6.z * wz0;
        a70 += x7.z * wz0;
        w += sizes.weightVectors;

        let ww0 = weights[w];
        a00 += x0.w * ww0;
        a10 += x1.w * ww0;
        a20 += x2.w * ww0;
        a30 += x3.w * ww0;
        a40 += x4.w * ww0;
        a50 += x5.w * ww0;
        a60 += x6.w * ww0;
        a70 += x7.w * ww0;
        w += sizes.weightVectors;
      }
    }
  }

  store(pixel, vector, a00);
  store(pixel + 1, vector, a10);
  store(pixel + 2, vector, a20);
  store(pixel + 3, vector, a30);
  store(pixel + 4, vector, a40);
  store(pixel + 5, vector, a50);
  store(pixel + 6, vector, a60);
  store(pixel + 7, vector, a70);
}
