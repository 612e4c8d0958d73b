// channel-concat: up to four tensors side by side along channels, with epilogue.
//
//   y[pixel, :] = relu?((x0[pixel, :] ⊕ x1[pixel, :] ⊕ x2[pixel, :] ⊕ x3[pixel, :]) * scale + shift + residual)
//
//   x0..x3       [pixels, vectors0] ... vec4; the widths need not be multiples of 4
//   affine       [2, outVectors] vec4: scale, then shift; read only if sizes.affine is 1
//   y, residual  [pixels, outVectors] vec4
//
// One invocation writes one vec4 of four pixels. Where all parts but the last fill whole vec4s it copies one, else it
// gathers four channels.

struct Sizes {
  outVectors: u32,
  pixels: u32,
  invocations: u32, // ceil(pixels / 4) x outVectors
  end0: u32,     // channels of x0
  end1: u32,     // ... of x0 and x1
  end2: u32,
  end3: u32,
  vectors0: u32, // vec4s per pixel of x0
  vectors1: u32,
  vectors2: u32,
  vectors3: u32,
  affine: u32,
  relu: u32,
}

// How many inputs there are; the other bindings are not read.
override INPUTS: u32 = 4;
// Whether all parts but the last are multiples of 4 channels wide.
override ALIGNED: bool = false;
// Whether a residual is added. Fixed per pipeline: some adapters run both sides of a branch, loads included.
override RESIDUAL: bool = false;

@group(0) @binding(0) var<storage, read> x0: array<Stored>;
@group(0) @binding(1) var<storage, read> x1: array<Stored>;
@group(0) @binding(2) var<storage, read> x2: array<Stored>;
@group(0) @binding(3) var<storage, read> x3: array<Stored>;
@group(0) @binding(4) var<storage, read> affine: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<Stored>;
@group(0) @binding(6) var<storage, read_write> y: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

fn wholeVector(pixel: u32, c: u32) -> vec4f {
  if (INPUTS == 1 || c < sizes.end0) { return vec4f(x0[pixel * sizes.vectors0 + c / 4]); }
  if (INPUTS == 2 || c < sizes.end1) { return vec4f(x1[pixel * sizes.vectors1 + (c - sizes.end0) / 4]); }
  if (INPUTS == 3 || c < sizes.end2) { return vec4f(x2[pixel * sizes.vectors2 + (c - sizes.end1) / 4]); }
  return vec4f(x3[pixel * sizes.vectors3 + (c - sizes.end2) / 4]);
}

fn channel(pixel: u32, c: u32) -> f32 {
  if (c < sizes.end0) { return f32(x0[pixel * sizes.vectors0 + c / 4][c % 4]); }
  if (INPUTS > 1 && c < sizes.end1) { let i = c - sizes.end0; return f32(x1[pixel * sizes.vectors1 + i / 4][i % 4]); }
  if (INPUTS > 2 && c < sizes.end2) { let i = c - sizes.end1; return f32(x2[pixel * sizes.vectors2 + i / 4][i % 4]); }
  if (INPUTS > 3 && c < sizes.end3) { let i = c - sizes.end2; return f32(x3[pixel * sizes.vectors3 + i / 4][i % 4]); }
  return 0;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.invocations) { return; }
  let tile = index / sizes.outVectors;
  let vector = index - tile * sizes.outVectors;
  let c = vector * 4;
  var scale = vec4f(1);
  var shift = vec4f(0);
  if (sizes.affine != 0) { scale = affine[vector]; shift = affine[sizes.outVectors + vector]; }

  let end = min(tile * 4 + 4, sizes.pixels);
  for (var pixel = tile * 4; pixel < end; pixel++) {
    var value: vec4f;
    if (ALIGNED) {
      value = wholeVector(pixel, c);
    } else {
      value = vec4f(channel(pixel, c), channel(pixel, c + 1), channel(pixel, c + 2), channel(pixel, c + 3));
    }
    value = value * scale + shift;
    let output = pixel * sizes.outVectors + vector;
    if (RESIDUAL) { value += vec4f(residual[output]); }
    value = reluIf(sizes.relu != 0, value);
    y[output] = Stored(value);
  }
}
