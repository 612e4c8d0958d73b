// channel-concat: up to four tensors side by side along channels, with epilogue.
//
//   y[pixel, :] = relu?((x0[pixel, :] ⊕ x1[pixel, :] ⊕ x2[pixel, :] ⊕ x3[pixel, :]) * scale + shift + residual)
//
//   x0..x3       [pixels, 4 vectors0] ... scalars: the widths need not be multiples of 4; an absent input has width 0
//   affine       [2, outVectors] vec4: scale, then shift; read only if sizes.affine is 1
//   y, residual  [pixels, outVectors] vec4
//
// One invocation writes one vec4.

struct Sizes {
  outVectors: u32,
  outputs: u32, // pixels x outVectors
  end0: u32,    // channels of x0
  end1: u32,    // ... of x0 and x1
  end2: u32,
  end3: u32,
  pitch0: u32,  // scalars per pixel of x0
  pitch1: u32,
  pitch2: u32,
  pitch3: u32,
  affine: u32,
  residual: u32,
  relu: u32,
}

@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read> x1: array<f32>;
@group(0) @binding(2) var<storage, read> x2: array<f32>;
@group(0) @binding(3) var<storage, read> x3: array<f32>;
@group(0) @binding(4) var<storage, read> affine: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(7) var<uniform> sizes: Sizes;

fn channel(pixel: u32, c: u32) -> f32 {
  if (c < sizes.end0) { return x0[pixel * sizes.pitch0 + c]; }
  if (c < sizes.end1) { return x1[pixel * sizes.pitch1 + c - sizes.end0]; }
  if (c < sizes.end2) { return x2[pixel * sizes.pitch2 + c - sizes.end1]; }
  if (c < sizes.end3) { return x3[pixel * sizes.pitch3 + c - sizes.end2]; }
  return 0;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.outputs) { return; }
  let vector = index % sizes.outVectors;
  let pixel = index / sizes.outVectors;
  let c = vector * 4;
  var value = vec4f(channel(pixel, c), channel(pixel, c + 1), channel(pixel, c + 2), channel(pixel, c + 3));
  if (sizes.affine != 0) { value = value * affine[vector] + affine[sizes.outVectors + vector]; }
  if (sizes.residual != 0) { value += residual[index]; }
  if (sizes.relu != 0) { value = max(value, vec4f(0)); }
  y[index] = value;
}
