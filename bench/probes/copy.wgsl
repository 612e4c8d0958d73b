// copy: y = x, four vec4s per invocation, neighbours next to each other.
//
//   x, y  [4 * invocations] vec4

struct Sizes {
  invocations: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  for (var i = 0u; i < 4; i++) {
    let at = i * sizes.invocations + id.x;
    y[at] = x[at];
  }
}
