// depthwise-conv2d-8x2: depthwise convolution at stride 1, tile of 8 x 2 pixels of one vec4 of channels per invocation. A store
// file (store.wgsl or store-parts.wgsl) is appended.
//
// For software adapters, where loads are dear: each input vec4 of a row is loaded once and moves through eight registers, one
// pixel on with each tap, and serves both rows of pixels. A 3 x 3 filter so needs 40 loads of x for 16 pixels, a 7 x 7 one
// 112. Weights come from a texture through a nearest sampler, for the reason given in conv2d-quad-8x32.wgsl.
//
//   x        [N, H, W, inVectors] vec4
//   weights  texture [k + 2, k] rows of outVectors texels: the filter between two rows of zeros, so that a row of the image
//            meets row r of it for the upper pixels and row r - 1 for the lower ones; 0 in the lanes past the last channel
//   params   begins with the bias: [outVectors] vec4

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,
  pixels: u32,      // N OH OW
  rowTiles: u32,    // ceil(OW / 8)
  rowPairs: u32,    // ceil(OH / 2)
  invocations: u32, // N rowPairs rowTiles outVectors
  kernelSize: u32,
  stride: u32,      // 1
  padding: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var weights: texture_2d<f32>;
@group(0) @binding(8) var<uniform> sizes: Sizes;
@group(0) @binding(10) var nearest: sampler;

// The vec4 at column `ix` of the row that begins at `start`, 0 outside the image.
fn load(start: u32, isRowInside: bool, ix: i32, vector: u32) -> vec4f {
  let isInside = isRowInside && u32(ix) < sizes.inWidth;
  let index = (start + u32(ix)) * sizes.inVectors + vector;
  return select(vec4f(0), vec4f(x[select(0, index, isInside)]), isInside);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.invocations) { return; }
  let tile = index / sizes.outVectors;
  let vector = index - tile * sizes.outVectors;
  let pair = tile / sizes.rowTiles; // of all images
  let ox = (tile - pair * sizes.rowTiles) * 8;
  let image = pair / sizes.rowPairs;
  let oy = (pair - image * sizes.rowPairs) * 2;
  let top = i32(oy) - i32(sizes.padding);
  let left = i32(ox) - i32(sizes.padding);

  let bias = params[vector];
  var a0 = bias; var b0 = bias;
  var a1 = bias; var b1 = bias;
  var a2 = bias; var b2 = bias;
  var a3 = bias; var b3 = bias;
  var a4 = bias; var b4 = bias;
  var a5 = bias; var b5 = bias;
  var a6 = bias; var b6 = bias;
  var a7 = bias; var b7 = bias;

  let u = (f32(vector) + 0.5) / f32(sizes.outVectors);
  let row = 1 / f32((sizes.kernelSize + 2) * sizes.kernelSize);
  let rowOfTaps = f32(sizes.kernelSize) * row;
  var v = 0.5 * row; // of the lower pixels; the upper ones are one row of taps ahead
  for (var r = 0u; r <= sizes.kernelSize; r++) {
    let iy = top + i32(r);
    let isRowInside = u32(iy) < sizes.inHeight;
    let start = u32(i32(image * sizes.inHeight) + iy) * sizes.inWidth;
    var x0 = load(start, isRowInside, left, vector);
    var x1 = load(start, isRowInside, left + 1, vector);
    var x2 = load(start, isRowInside, left + 2, vector);
    var x3 = load(start, isRowInside, left + 3, vector);
    var x4 = load(start, isRowInside, left + 4, vector);
    var x5 = load(start, isRowInside, left + 5, vector);
    var x6 = load(start, isRowInside, left + 6, vector);
    for (var kx = 0u; kx < sizes.kernelSize; kx++) {
      let x7 = load(start, isRowInside, left + i32(kx) + 7, vector);
      let lower = textureSampleLevel(weights, nearest, vec2f(u, v), 0);
      let upper = textureSampleLevel(weights, nearest, vec2f(u, v + rowOfTaps), 0);
      v += row;
      a0 += x0 * upper; b0 += x0 * lower;
      a1 += x1 * upper; b1 += x1 * lower;
      a2 += x2 * upper; b2 += x2 * lower;
      a3 += x3 * upper; b3 += x3 * lower;
      a4 += x4 * upper; b4 += x4 * lower;
      a5 += x5 * upper; b5 += x5 * lower;
      a6 += x6 * upper; b6 += x6 * lower;
      a7 += x7 * upper; b7 += x7 * lower;
      x0 = x1; x1 = x2; x2 = x3; x3 = x4; x4 = x5; x5 = x6; x6 = x7;
    }
  }

  let place = storesOf(vector);
  let upperRow = (image * sizes.outHeight + oy) * sizes.outWidth;
  // A tile may reach past the end of its row or image: what lies there is no pixel.
  let hasLower = oy + 1 < sizes.outHeight;
  for (var p = 0u; p < 8; p++) {
    let pixel = upperRow + ox + p;
    let isInside = ox + p < sizes.outWidth;
    store(select(sizes.pixels, pixel, isInside), a0, place);
    store(select(sizes.pixels, pixel + sizes.outWidth, isInside && hasLower), b0, place);
    a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7;
    b0 = b1; b1 = b2; b2 = b3; b3 = b4; b4 = b5; b5 = b6; b6 = b7;
  }
}
