// conv2d-then-conv2d: a 1 x 1 module in one dispatch. Slices of x are copied, a 1 x 1 convolution of x is computed, and another
// one of both together. Ends in store-parts.wgsl.
//
//   parked[p]  = slices of x[s p] | x[s p] W      the value between the two convolutions, here in the order of its vec4s
//   second[p]  = parked[p] V
//
//   x        [N, H, W, inVectors] vec4, padding lanes 0
//   weights  W [4 inVectors, firstVectors] vec4 over output channels; at `secondWeights` V [4 parkedVectors, secondVectors]
//   params   see store-parts.wgsl; a row for every vec4 of the first result, then of the second one
//
// All of it is stored finished: slices, first result, second result, and a part of that once more as the tail. A workgroup
// computes all channels of `tilePixels` pixels, so that only x and the weights are read from memory.
//
// First result: an invocation sums 4 pixels of a vec4 over every `slices`-th vec4 of x; neighbours take neighbouring vec4s, one
// run of loads. The slices add up in workgroup memory in turns. Second result: 2 pixels of a vec4 at a time.

const INVOCATIONS = 256u;

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,    // of both results
  pixels: u32,        // N OH OW
  stride: u32,
  groups: u32,        // ceil(pixels / tilePixels)
  tilePixels: u32,    // a multiple of 4
  slices: u32,
  firstVectors: u32,
  firstAt: u32,       // vec4 of the parked pixel with which the first result begins
  copiesAt: u32,      // and the slices
  parkedVectors: u32,
  secondVectors: u32,
  secondWeights: u32,
  sparseVectors: u32, // vec4s of the second result, the first ones, that do not depend on the first `zeroVectors` parked ones
  zeroVectors: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> weights: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

// [tilePixels, parkedVectors]. Begins as 0.
var<workgroup> parked: array<vec4f, 1024>;

// Where in x an output pixel looks. Tiles that reach past the end read its last pixel again and do not store it.
fn sourceOf(index: u32) -> u32 {
  let pixel = min(index, sizes.pixels - 1);
  let row = pixel / sizes.outWidth;
  let image = row / sizes.outHeight;
  let inRow = image * sizes.inHeight + (row - image * sizes.outHeight) * sizes.stride;
  return (inRow * sizes.inWidth + (pixel - row * sizes.outWidth) * sizes.stride) * sizes.inVectors;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let group = id.y * groups.x + id.x;
  if (group >= sizes.groups) { return; }
  let firstPixel = group * sizes.tilePixels;
  parkCopies(firstPixel, local);
  parkFirst(firstPixel, local); // ends in a barrier

  storeParked(firstPixel, local);
  for (var item = local; item < sizes.tilePixels / 2 * sizes.secondVectors; item += INVOCATIONS) {
    let pair = item / sizes.secondVectors;
    second(firstPixel + pair * 2, pair * 2 * sizes.parkedVectors, item - pair * sizes.secondVectors);
  }
}

fn parkCopies(firstPixel: u32, local: u32) {
  for (var item = local; item < sizes.tilePixels * stores.copyVectors; item += INVOCATIONS) {
    let p = item / stores.copyVectors;
    let i = item - p * stores.copyVectors;
    parked[p * sizes.parkedVectors + sizes.copiesAt + i] = gathered(sourceOf(firstPixel + p), copiedLanes(i));
  }
}

// The slices and the first result, finished.
fn storeParked(firstPixel: u32, local: u32) {
  let vectors = stores.copyVectors + sizes.firstVectors;
  let end = min(sizes.tilePixels, sizes.pixels - firstPixel) * vectors;
  for (var item = local; item < end; item += INVOCATIONS) {
    let p = item / vectors;
    let i = item - p * vectors;
    let v = i - stores.copyVectors; // of the first result
    let isCopy = i < stores.copyVectors;
    let at = select(sizes.firstAt + v, sizes.copiesAt + i, isCopy);
    let finish = finishOf(true, select(v, stores.copyRow + i, isCopy), select(stores.offset + v, stores.copyOffset + i, isCopy));
    put(firstPixel + p, parked[p * sizes.parkedVectors + at], finish);
  }
}

fn parkFirst(firstPixel: u32, local: u32) {
  let slice = local % sizes.slices;
  let item = local / sizes.slices;
  let quad = item / sizes.firstVectors;
  let v = item - quad * sizes.firstVectors;
  let isUsed = quad * 4 < sizes.tilePixels;
  var a0 = vec4f(0);
  var a1 = vec4f(0);
  var a2 = vec4f(0);
  var a3 = vec4f(0);
  if (isUsed) {
    let s0 = sourceOf(firstPixel + quad * 4);
    let s1 = sourceOf(firstPixel + quad * 4 + 1);
    let s2 = sourceOf(firstPixel + quad * 4 + 2);
    let s3 = sourceOf(firstPixel + quad * 4 + 3);
    for (var i = slice; i < sizes.inVectors; i += sizes.slices) {
      let x0 = vec4f(x[s0 + i]);
      let x1 = vec4f(x[s1 + i]);
      let x2 = vec4f(x[s2 + i]);
      let x3 = vec4f(x[s3 + i]);
      let w = i * 4 * sizes.firstVectors + v;
      let wx = vec4f(weights[w]);
      let wy = vec4f(weights[w + sizes.firstVectors]);
      let wz = vec4f(weights[w + 2 * sizes.firstVectors]);
      let ww = vec4f(weights[w + 3 * sizes.firstVectors]);
      a0 += x0.x * wx + x0.y * wy + x0.z * wz + x0.w * ww;
      a1 += x1.x * wx + x1.y * wy + x1.z * wz + x1.w * ww;
      a2 += x2.x * wx + x2.y * wy + x2.z * wz + x2.w * ww;
      a3 += x3.x * wx + x3.y * wy + x3.z * wz + x3.w * ww;
    }
  }
  let at = quad * 4 * sizes.parkedVectors + sizes.firstAt + v;
  for (var turn = 0u; turn < sizes.slices; turn++) {
    if (isUsed && slice == turn) {
      parked[at] += a0;
      parked[at + sizes.parkedVectors] += a1;
      parked[at + 2 * sizes.parkedVectors] += a2;
      parked[at + 3 * sizes.parkedVectors] += a3;
    }
    workgroupBarrier();
  }
}

// The vec4 `v` of the second result for two pixels, the first of which is parked at `at`.
fn second(pixel: u32, at: u32, v: u32) {
  let skipped = select(0, sizes.zeroVectors, v < sizes.sparseVectors);
  var a0 = vec4f(0);
  var a1 = vec4f(0);
  var w = sizes.secondWeights + skipped * 4 * sizes.secondVectors + v;
  for (var i = skipped; i < sizes.parkedVectors; i++) {
    let x0 = parked[at + i];
    let x1 = parked[at + sizes.parkedVectors + i];
    let wx = vec4f(weights[w]);
    let wy = vec4f(weights[w + sizes.secondVectors]);
    let wz = vec4f(weights[w + 2 * sizes.secondVectors]);
    let ww = vec4f(weights[w + 3 * sizes.secondVectors]);
    a0 += x0.x * wx + x0.y * wy + x0.z * wz + x0.w * ww;
    a1 += x1.x * wx + x1.y * wy + x1.z * wz + x1.w * ww;
    w += 4 * sizes.secondVectors;
  }
  let place = storesOf(sizes.firstVectors + v);
  // A loop, since what a store may have to do is much code.
  for (var p = 0u; p < 2; p++) {
    store(pixel + p, a0, place);
    a0 = a1;
  }
}
