// conv2d-then-depthwise: a convolution and the 3 x 3 depthwise convolution of its result, in one dispatch. Ends in
// store-parts.wgsl.
//
//   raw[n, oy, ox, o]  = innerRelu?(bias[o] + sum over ky, kx, ci of x[n, oy s - p + ky, ox s - p + kx, ci] w[ky, kx, ci, o])
//   tail[n, oy, ox, o] = tailRelu?(shift[o] + sum over ky, kx of raw[n, oy - 1 + ky, ox - 1 + kx, o] t[ky, kx, o])
//
//   x        [N, H, W, inVectors] vec4, padding lanes 0
//   weights  [k, k, 4 inVectors, weightVectors] vec4 over output channels
//   params   begins with the bias: [weightVectors] vec4; at `tailParams` t [3, 3, weightVectors] vec4 and the shift
//            [weightVectors] vec4, always float32
//
// raw and tail are both stored finished, each its own part of y; raw as such exists only here. A workgroup computes 8 x 8
// pixels of 2 vec4s of both. It needs raw on 10 x 10 pixels: the rim is computed by the neighbours, too, which costs less
// than waiting for them in a dispatch of its own. Pixels outside the image are 0, as the padding of the depthwise wants it.
//
// An invocation sums half a row of the patch, 5 pixels, over every eighth vec4 of the window: eight slices in parallel make
// up for the few pixels, and since neighbours take neighbouring vec4s their loads of x are one run. The slices add up in
// workgroup memory in turns.

const TILE = 8u;
const PATCH = 10u;
const HALF = 5u;
const VECTORS = 2u;
const SLICES = 8u;

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,
  pixels: u32,        // N OH OW
  groups: u32,        // N rowTiles columnTiles channelTiles
  rowTiles: u32,      // ceil(OW / 8), of one row
  columnTiles: u32,   // ceil(OH / 8)
  channelTiles: u32,
  kernelSize: u32,
  stride: u32,
  padding: u32,
  weightVectors: u32,
  tailParams: u32,
  tailRelu: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> weights: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

// Rows of the patch, its columns, vec4s. Begins as 0.
var<workgroup> raw: array<vec4f, PATCH * PATCH * VECTORS>;

// The vec4 `at` of the row of the image that begins at `start`, 0 outside the row.
fn load(start: u32, at: i32, rowVectors: u32) -> vec4f {
  let isInside = u32(at) < rowVectors;
  return select(vec4f(0), vec4f(x[select(0, start + u32(at), isInside)]), isInside);
}

fn add(at: u32, isInside: bool, a: vec4f, b: vec4f) {
  if (!isInside) { return; }
  raw[at] += a;
  raw[at + 1] += b;
}

@compute @workgroup_size(160)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let group = id.y * groups.x + id.x;
  if (group >= sizes.groups) { return; }
  let tile = group / sizes.channelTiles;
  let firstVector = (group - tile * sizes.channelTiles) * VECTORS;
  let tileRow = tile / sizes.rowTiles;
  let image = tileRow / sizes.columnTiles;
  let top = (tileRow - image * sizes.columnTiles) * TILE;
  let left = (tile - tileRow * sizes.rowTiles) * TILE;

  let slice = local % SLICES;
  let row = local / SLICES / 2;
  let column = local / SLICES % 2 * HALF;
  let oy = i32(top + row) - 1;
  let ox = i32(left + column) - 1;

  // The first slice brings the bias.
  let isFirst = slice == 0;
  var a0 = select(vec4f(0), params[firstVector], isFirst);
  var b0 = select(vec4f(0), params[firstVector + 1], isFirst);
  var a1 = a0; var b1 = b0;
  var a2 = a0; var b2 = b0;
  var a3 = a0; var b3 = b0;
  var a4 = a0; var b4 = b0;

  let isRowInside = u32(oy) < sizes.outHeight;
  if (isRowInside) {
    let rowVectors = sizes.inWidth * sizes.inVectors;
    let runVectors = sizes.kernelSize * sizes.inVectors; // one row of a window: columns and channels are one run
    let pixelStep = i32(sizes.stride * sizes.inVectors);
    let runStart = (ox * i32(sizes.stride) - i32(sizes.padding)) * i32(sizes.inVectors);
    for (var ky = 0u; ky < sizes.kernelSize; ky++) {
      let iy = oy * i32(sizes.stride) - i32(sizes.padding) + i32(ky);
      if (u32(iy) >= sizes.inHeight) { continue; }
      let start = (image * sizes.inHeight + u32(iy)) * rowVectors;
      for (var i = slice; i < runVectors; i += SLICES) {
        let at = runStart + i32(i);
        let x0 = load(start, at, rowVectors);
        let x1 = load(start, at + pixelStep, rowVectors);
        let x2 = load(start, at + 2 * pixelStep, rowVectors);
        let x3 = load(start, at + 3 * pixelStep, rowVectors);
        let x4 = load(start, at + 4 * pixelStep, rowVectors);
        var w = (ky * runVectors + i) * 4 * sizes.weightVectors + firstVector;

        let ux = vec4f(weights[w]); let vx = vec4f(weights[w + 1]);
        w += sizes.weightVectors;
        let uy = vec4f(weights[w]); let vy = vec4f(weights[w + 1]);
        w += sizes.weightVectors;
        let uz = vec4f(weights[w]); let vz = vec4f(weights[w + 1]);
        w += sizes.weightVectors;
        let uw = vec4f(weights[w]); let vw = vec4f(weights[w + 1]);

        a0 += x0.x * ux + x0.y * uy + x0.z * uz + x0.w * uw; b0 += x0.x * vx + x0.y * vy + x0.z * vz + x0.w * vw;
        a1 += x1.x * ux + x1.y * uy + x1.z * uz + x1.w * uw; b1 += x1.x * vx + x1.y * vy + x1.z * vz + x1.w * vw;
        a2 += x2.x * ux + x2.y * uy + x2.z * uz + x2.w * uw; b2 += x2.x * vx + x2.y * vy + x2.z * vz + x2.w * vw;
        a3 += x3.x * ux + x3.y * uy + x3.z * uz + x3.w * uw; b3 += x3.x * vx + x3.y * vy + x3.z * vz + x3.w * vw;
        a4 += x4.x * ux + x4.y * uy + x4.z * uz + x4.w * uw; b4 += x4.x * vx + x4.y * vy + x4.z * vz + x4.w * vw;
      }
    }
  }

  let at = (row * PATCH + column) * VECTORS;
  for (var turn = 0u; turn < SLICES; turn++) {
    if (slice == turn && isRowInside) {
      add(at, u32(ox) < sizes.outWidth, a0, b0);
      add(at + VECTORS, u32(ox + 1) < sizes.outWidth, a1, b1);
      add(at + 2 * VECTORS, u32(ox + 2) < sizes.outWidth, a2, b2);
      add(at + 3 * VECTORS, u32(ox + 3) < sizes.outWidth, a3, b3);
      add(at + 4 * VECTORS, u32(ox + 4) < sizes.outWidth, a4, b4);
    }
    workgroupBarrier();
  }

  if (local >= TILE * TILE * VECTORS) { return; }
  let v = local % VECTORS;
  let vector = firstVector + v;
  let down = local / VECTORS / TILE;
  let right = local / VECTORS % TILE;
  if (top + down >= sizes.outHeight || left + right >= sizes.outWidth) { return; }
  finish((image * sizes.outHeight + top + down) * sizes.outWidth + left + right, vector, (down * PATCH + right) * VECTORS + v);
}

// Stores one vec4 of a pixel and of its tail; `corner` is where its 3 x 3 window begins in the patch.
fn finish(pixel: u32, vector: u32, corner: u32) {
  let place = storesOf(vector);
  if (pixel < place.part.end) { put(pixel, reluIf(place.innerRelu, raw[corner + (PATCH + 1) * VECTORS]), place.part); }
  if (!TAIL || pixel >= place.tail.end) { return; }
  var t = sizes.tailParams + vector;
  var sum = vec4f(0);
  for (var ky = 0u; ky < 3; ky++) {
    for (var kx = 0u; kx < 3; kx++) {
      sum += reluIf(place.innerRelu, raw[corner + (ky * PATCH + kx) * VECTORS]) * params[t];
      t += sizes.weightVectors;
    }
  }
  put(pixel, reluIf(sizes.tailRelu != 0, sum + params[t]), place.tail);
}
