// store-parts: what a convolution kernel does with its sums where they become parts of joined values.
//
//   v = innerRelu?(sum)
//   scratch0[pixel, scratchOffset + vector] = v                                       if RAW: what a deeper convolution reads
//   y[pixel, offset + vector]               = relu?(v * scale + shift + residual)     what the rest of the network reads
//   y[pixel, tailOffset + vector]           = relu?(v * scale' + shift' + residual)   if TAIL: the tail of a 1x1 module
//
// and, by invocations of their own, slices of the kernel's input x, every stride-th pixel of it:
//
//   y[pixel, copyOffset + i]                = relu?(x * scale + shift + residual)     if COPIES
//   scratch0[pixel, copyScratchOffset + i]  = x                                       for i < copySplit, if RAW_COPIES
//   scratch1[pixel, otherOffset + i - copySplit] = x                                  for the others
//
//   params  vec4 rows: what the kernel starts its sums with; from `rows` on `rowCount` scales, as many shifts, if RESIDUAL
//           is 2 as many lanes of the residual, then the lanes of x that are copied. A row belongs to a vec4: those of the
//           sums, then those of the tail, then those of the copies
//
// Appended to a kernel, which calls `storesOf` once per vec4 of channels, `store` for every pixel, and `copy` with the number
// of every invocation. Without parts, store.wgsl does with fewer bindings and loads.

struct Stores {
  vectors: u32, // of y, per pixel
  offset: u32,
  residualVectors: u32,
  relu: u32,
  innerRelu: u32,
  rows: u32,
  rowCount: u32,
  scratchVectors: u32,
  scratchOffset: u32,
  tailFirst: u32, // vec4 of the sums with which the tail begins
  tailVectors: u32,
  tailOffset: u32,
  tailRow: u32,
  copyBegin: u32, // invocation, a multiple of the workgroup size
  copyVectors: u32,
  copyRow: u32,
  copyOffset: u32,
  copySplit: u32,
  copyScratchOffset: u32,
  otherVectors: u32,
  otherOffset: u32,
}

// 0: no residual; 1: it lies as y does; 2: its lanes are in params.
override RESIDUAL: u32 = 0;
override RAW: bool = false;
override TAIL: bool = false;
override COPIES: bool = false;
override RAW_COPIES: bool = false;

@group(0) @binding(2) var<storage, read> params: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> scratch0: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> scratch1: array<vec4f>;
@group(0) @binding(9) var<uniform> stores: Stores;

struct Finish {
  scale: vec4f,
  shift: vec4f,
  lanes: vec4f,
}

struct Place {
  part: Finish,
  tail: Finish,
}

fn finishOf(row: u32) -> Finish {
  let at = stores.rows + row;
  var finish = Finish(params[at], params[at + stores.rowCount], vec4f(0));
  if (RESIDUAL == 2) { finish.lanes = params[at + 2 * stores.rowCount]; }
  return finish;
}

fn storesOf(vector: u32) -> Place {
  var place = Place();
  place.part = finishOf(vector);
  if (TAIL) { place.tail = finishOf(stores.tailRow + min(vector - stores.tailFirst, stores.tailVectors - 1)); }
  return place;
}

fn residualLane(pixel: u32, lane: f32) -> f32 {
  let l = u32(max(lane, 0));
  return select(0, residual[pixel * stores.residualVectors + l / 4][l % 4], lane >= 0);
}

fn put(index: u32, pixel: u32, value: vec4f, finish: Finish) {
  var result = value * finish.scale + finish.shift;
  if (RESIDUAL == 1) { result += residual[index]; }
  if (RESIDUAL == 2) {
    let lanes = finish.lanes;
    result += vec4f(residualLane(pixel, lanes.x), residualLane(pixel, lanes.y), residualLane(pixel, lanes.z), residualLane(pixel, lanes.w));
  }
  if (stores.relu != 0) { result = max(result, vec4f(0)); }
  y[index] = result;
}

fn store(pixel: u32, vector: u32, sum: vec4f, place: Place) {
  if (pixel >= sizes.pixels || vector >= sizes.outVectors) { return; }
  var value = sum;
  if (stores.innerRelu != 0) { value = max(value, vec4f(0)); }
  if (RAW) { scratch0[pixel * stores.scratchVectors + stores.scratchOffset + vector] = value; }
  let first = pixel * stores.vectors;
  put(first + stores.offset + vector, pixel, value, place.part);
  if (TAIL && vector - stores.tailFirst < stores.tailVectors) {
    put(first + stores.tailOffset + vector - stores.tailFirst, pixel, value, place.tail);
  }
}

// Copies one vec4 of eight pixels. Loops are skipped where no invocation needs them; a branch may not be.
fn copy(invocation: u32) {
  if (!COPIES || invocation < stores.copyBegin) { return; }
  let index = invocation - stores.copyBegin;
  let tile = index / stores.copyVectors;
  let i = index - tile * stores.copyVectors;
  let end = min(tile * 8 + 8, sizes.pixels);
  for (var pixel = tile * 8; pixel < end; pixel++) {
    let row = stores.copyRow + i;
    let finish = finishOf(row);
    let lanes = params[stores.rows + select(2u, 3u, RESIDUAL == 2) * stores.rowCount + i];
    let outRow = pixel / sizes.outWidth;
    let image = outRow / sizes.outHeight;
    let inRow = image * sizes.inHeight + (outRow - image * sizes.outHeight) * sizes.stride;
    let source = (inRow * sizes.inWidth + (pixel - outRow * sizes.outWidth) * sizes.stride) * sizes.inVectors;
    let value = vec4f(lane(source, lanes.x), lane(source, lanes.y), lane(source, lanes.z), lane(source, lanes.w));
    if (RAW_COPIES) {
      if (i < stores.copySplit) {
        scratch0[pixel * stores.scratchVectors + stores.copyScratchOffset + i] = value;
      } else {
        scratch1[pixel * stores.otherVectors + stores.otherOffset + i - stores.copySplit] = value;
      }
    }
    put(pixel * stores.vectors + stores.copyOffset + i, pixel, value, finish);
  }
}

fn lane(source: u32, lane: f32) -> f32 {
  let l = u32(max(lane, 0));
  return select(0, x[source + l / 4][l % 4], lane >= 0);
}
