// pointwise: BatchNorm, bias, residual and ReLU where no other kernel could take them as its epilogue.
//
//   y = relu?(x * scale[c] + shift[c] + residual)
//
//   x, residual, y  [pixels, vectors] vec4
//   affine          [2, vectors] vec4: scale, then shift; read only if sizes.affine is 1
//
// One invocation computes one vec4.

struct Sizes {
  vectors: u32,
  outputs: u32, // pixels x vectors
  affine: u32,
  relu: u32,
}

// Whether a residual is added. Fixed per pipeline: some adapters run both sides of a branch, loads included.
override RESIDUAL: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> affine: array<vec4f>;
@group(0) @binding(2) var<storage, read> residual: array<Stored>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.outputs) { return; }
  let vector = index % sizes.vectors;
  var value = vec4f(x[index]);
  if (sizes.affine != 0) { value = value * affine[vector] + affine[sizes.vectors + vector]; }
  if (RESIDUAL) { value += vec4f(residual[index]); }
  value = reluIf(sizes.relu != 0, value);
  y[index] = Stored(value);
}
