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
//   scratch0[pixel, copyScratchOffset + ..] = x      for copyScratchVectors of them from copyScratchFirst on, if RAW_COPIES
//   scratch1[pixel, otherOffset + ..]       = x      for the others
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
  copyScratchFirst: u32,
  copyScratchVectors: u32,
  copyScratchOffset: u32,
  otherVectors: u32,
  otherOffset: u32,
}

// 0: no residual; 1: it lies as y does; 2: its lanes are in params.
override RESIDUAL: u32 = 0;
override RAW: bool = false;
override TAIL: bool = false;
// 0: none; 1: of all pixels; 2: of every stride-th one.
override COPIES: u32 = 0;
override RAW_COPIES: bool = false;

@group(0) @binding(2) var<storage, read> params: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<Stored>;
@group(0) @binding(4) var<storage, read_write> y: array<Stored>;
@group(0) @binding(5) var<storage, read_write> scratch0: array<Stored>;
@group(0) @binding(6) var<storage, read_write> scratch1: array<Stored>;
@group(0) @binding(9) var<uniform> stores: Stores;

// Where a vec4 of channels goes in y, for all pixels, and what becomes of it.
struct Finish {
  end: u32,     // pixels before it are stored: none of a vec4 past the last channel
  index: u32,   // in y, of the first pixel
  scale: vec4f,
  shift: vec4f,
  relu: bool,
  lanes: vec4f, // of the residual
}

struct Place {
  rawIndex: u32,
  innerRelu: bool,
  part: Finish,
  tail: Finish,
}

fn finishOf(isInside: bool, row: u32, vector: u32) -> Finish {
  let at = stores.rows + row;
  var finish: Finish;
  finish.end = select(0, sizes.pixels, isInside);
  finish.index = vector;
  finish.scale = params[at];
  finish.shift = params[at + stores.rowCount];
  finish.relu = stores.relu != 0;
  if (RESIDUAL == 2) { finish.lanes = params[at + 2 * stores.rowCount]; }
  return finish;
}

fn storesOf(vector: u32) -> Place {
  var place: Place;
  place.rawIndex = stores.scratchOffset + vector;
  place.innerRelu = stores.innerRelu != 0;
  place.part = finishOf(vector < sizes.outVectors, vector, stores.offset + vector);
  if (TAIL) {
    let i = min(vector - stores.tailFirst, stores.tailVectors);
    place.tail = finishOf(i < stores.tailVectors, stores.tailRow + min(i, stores.tailVectors - 1), stores.tailOffset + i);
  }
  return place;
}

fn residualLane(pixel: u32, lane: f32) -> f32 {
  let l = u32(max(lane, 0));
  return select(0, f32(residual[pixel * stores.residualVectors + l / 4][l % 4]), lane >= 0);
}

fn put(pixel: u32, value: vec4f, finish: Finish) {
  let index = pixel * stores.vectors + finish.index;
  var result = value * finish.scale + finish.shift;
  if (RESIDUAL == 1) { result += vec4f(residual[index]); }
  if (RESIDUAL == 2) {
    let lanes = finish.lanes;
    result += vec4f(residualLane(pixel, lanes.x), residualLane(pixel, lanes.y), residualLane(pixel, lanes.z), residualLane(pixel, lanes.w));
  }
  y[index] = Stored(reluIf(finish.relu, result));
}

fn store(pixel: u32, sum: vec4f, place: Place) {
  let value = reluIf(place.innerRelu, sum);
  if (pixel < place.part.end) {
    if (RAW) { scratch0[pixel * stores.scratchVectors + place.rawIndex] = Stored(value); }
    put(pixel, value, place.part);
  }
  if (TAIL && pixel < place.tail.end) { put(pixel, value, place.tail); }
}

// Copies one vec4 of eight pixels. Loops are skipped where no invocation needs them; a branch may not be.
fn copy(invocation: u32) {
  if (COPIES == 0 || invocation < stores.copyBegin) { return; }
  let index = invocation - stores.copyBegin;
  let tile = index / stores.copyVectors;
  let i = index - tile * stores.copyVectors;
  let finish = finishOf(true, stores.copyRow + i, stores.copyOffset + i);
  let lanes = copiedLanes(i);
  let end = min(tile * 8 + 8, sizes.pixels);
  for (var pixel = tile * 8; pixel < end; pixel++) {
    let value = gathered(inputPixel(pixel) * sizes.inVectors, lanes);
    if (RAW_COPIES) {
      let inScratch = i - stores.copyScratchFirst;
      if (inScratch < stores.copyScratchVectors) {
        scratch0[pixel * stores.scratchVectors + stores.copyScratchOffset + inScratch] = Stored(value);
      } else {
        let inOther = select(i, i - stores.copyScratchVectors, i >= stores.copyScratchFirst);
        scratch1[pixel * stores.otherVectors + stores.otherOffset + inOther] = Stored(value);
      }
    }
    put(pixel, value, finish);
  }
}

// The pixel of x that a pixel of y is a copy of.
fn inputPixel(pixel: u32) -> u32 {
  if (COPIES == 1) { return pixel; }
  let outRow = pixel / sizes.outWidth;
  let image = outRow / sizes.outHeight;
  let inRow = image * sizes.inHeight + (outRow - image * sizes.outHeight) * sizes.stride;
  return inRow * sizes.inWidth + (pixel - outRow * sizes.outWidth) * sizes.stride;
}

// Lanes of x that the vec4 `i` of the copies is made of.
fn copiedLanes(i: u32) -> vec4f {
  return params[stores.rows + select(2u, 3u, RESIDUAL == 2) * stores.rowCount + i];
}

fn gathered(source: u32, lanes: vec4f) -> vec4f {
  return vec4f(lane(source, lanes.x), lane(source, lanes.y), lane(source, lanes.z), lane(source, lanes.w));
}

fn lane(source: u32, lane: f32) -> f32 {
  let l = u32(max(lane, 0));
  return select(0, f32(x[source + l / 4][l % 4]), lane >= 0);
}
