// conv2d: what its tiles share. A tile file (conv2d-8x8.wgsl and the like) and a store file (store.wgsl or
// store-parts.wgsl) are appended.
//
//   sum[n, oy, ox, o] = bias[o] + sum over ky, kx, ci of x[n, oy s - p + ky, ox s - p + kx, ci] w[ky, kx, ci, o]
//
//   x        [N, H, W, inVectors] vec4, padding lanes 0
//   weights  see the tile; BatchNorm is folded in where that can be
//   params   begins with the bias: [weightVectors] vec4
//
// Tiles are numbered with the output channels fastest, so neighbours share pixels and read adjacent weights, and
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
  outVectors: u32,      // of the sums
  pixels: u32,          // N OH OW
  tiles: u32,
  channelTiles: u32,
  wholeTiles: u32,      // of the tiles; the others compute the channels that are left, for more pixels
  restVector: u32,      // where those begin
  kernelSize: u32,
  stride: u32,
  padding: u32,
  runs: u32,            // contiguous runs in one row of a window: 1, or kernelSize where there are groups
  runVectors: u32,      // vec4s of a run
  groupVectors: u32,    // input vec4s that one output reads
  groupOutVectors: u32, // output vec4s of one group
  weightVectors: u32,
  sparseVectors: u32,   // output vec4s, the first ones, whose weights are 0 at the beginning of a run
  zeroVectors: u32,     // vec4s of that
}

// Whether a window can reach outside the image. Without, the inner loop tests nothing.
override PADDED: bool = true;
// Whether windows are pixels: 1x1, stride 1, no padding. Finding one then takes no division.
override POINTWISE: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

// Where an output pixel looks. Counted in vec4s from its window's left edge.
struct Window {
  start: i32,      // of the first row's left edge in x; negative where padding lies before the image
  top: i32,        // row of the image
  firstInside: u32,
  inside: u32,     // how many, from firstInside on, lie inside the image
}

fn window(pixel: u32) -> Window {
  if (POINTWISE) { return Window(i32(pixel * sizes.inVectors), 0, 0, 0); }
  let row = pixel / sizes.outWidth;
  let image = row / sizes.outHeight;
  let top = i32((row - image * sizes.outHeight) * sizes.stride) - i32(sizes.padding);
  let left = i32((pixel - row * sizes.outWidth) * sizes.stride) - i32(sizes.padding);
  let start = ((i32(image * sizes.inHeight) + top) * i32(sizes.inWidth) + left) * i32(sizes.inVectors);
  let first = u32(max(-left, 0)) * sizes.inVectors;
  // Where padding is wider than the window, one may lie beside the image.
  let inside = u32(max(i32(sizes.inWidth) - left, 0)) * sizes.inVectors;
  return Window(start, top, first, inside - first);
}

// How much of a window's row `ky` lies inside the image.
fn rowInside(w: Window, ky: u32) -> u32 {
  return select(0, w.inside, u32(w.top + i32(ky)) < sizes.inHeight);
}

// Where a run begins to matter for a tile whose output vec4s end before `end`.
fn firstOfRun(end: u32) -> u32 {
  return select(0, sizes.zeroVectors, end <= sizes.sparseVectors);
}

// The vec4 `offset` into a row that begins at `start`.
fn load(start: i32, offset: u32, w: Window, inside: u32) -> vec4f {
  let index = u32(start + i32(offset));
  if (!PADDED) { return vec4f(x[index]); }
  let isInside = offset - w.firstInside < inside;
  return select(vec4f(0), vec4f(x[select(0, index, isInside)]), isInside);
}
