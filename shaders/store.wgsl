// store: what a convolution kernel does with its sums where they become one value, or one part of a value.
//
//   y[pixel, offset + vector] = relu?(sum + residual[pixel, offset + vector])
//
//   y         [pixels, vectors] vec4
//   residual  [pixels, vectors] vec4 in y's layout, read only if RESIDUAL is 1; or
//             [pixels, residualVectors] vec4 in another one, if RESIDUAL is 2: then params holds where each lane lies
//   params    [lanes] vec4 at `lanesRow`: the residual's lane of each of y's, -1 for none; in front of them, what the kernel
//             starts its sums with
//
// Appended to a kernel, which calls `storesOf` once per vec4 of channels and then `store` for every pixel. The same functions
// with more to do are in store-parts.wgsl.

struct Stores {
  vectors: u32, // of y, per pixel
  offset: u32,
  residualVectors: u32,
  lanesRow: u32,
  relu: u32,
}

// Whether a residual is added. Fixed per pipeline: some adapters run both sides of a branch, loads included.
override RESIDUAL: u32 = 0;

@group(0) @binding(2) var<storage, read> params: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<Stored>;
@group(0) @binding(4) var<storage, read_write> y: array<Stored>;
@group(0) @binding(9) var<uniform> stores: Stores;

// Where a vec4 of channels goes, for all pixels.
struct Place {
  end: u32,     // pixels before it are stored: none of a vec4 past the last channel
  index: u32,   // in y, of the first pixel
  relu: bool,
  lanes: vec4f, // of the residual
}

fn storesOf(vector: u32) -> Place {
  var place: Place;
  place.end = select(0, sizes.pixels, vector < sizes.outVectors);
  place.index = stores.offset + vector;
  place.relu = stores.relu != 0;
  if (RESIDUAL == 2) { place.lanes = params[stores.lanesRow + vector]; }
  return place;
}

fn residualLane(pixel: u32, lane: f32) -> f32 {
  let l = u32(max(lane, 0));
  return select(0, f32(residual[pixel * stores.residualVectors + l / 4][l % 4]), lane >= 0);
}

fn store(pixel: u32, sum: vec4f, place: Place) {
  if (pixel >= place.end) { return; }
  let index = pixel * stores.vectors + place.index;
  var value = sum;
  if (RESIDUAL == 1) { value += vec4f(residual[index]); }
  if (RESIDUAL == 2) {
    let lanes = place.lanes;
    value += vec4f(residualLane(pixel, lanes.x), residualLane(pixel, lanes.y), residualLane(pixel, lanes.z), residualLane(pixel, lanes.w));
  }
  y[index] = Stored(reluIf(place.relu, value));
}

// Only store-parts.wgsl has something to copy.
fn copy(invocation: u32) {}
