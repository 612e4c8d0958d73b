// arithmetic-peak: chains of multiply-adds in registers, each chain waiting for itself only; 16 steps a round.
//
//   y  [invocations] vec4: the sums of the chains, so that none is left out

struct Sizes {
  rounds: u32,
  factor: f32,
  term: f32,
}

// Whether `fma` is asked for; else what the engine's kernels write, which a compiler may or may not fuse.
override FUSED: bool = false;
// Eight chains of vec4s in place of two: hide more latency, need more registers.
override WIDE: bool = false;

@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(1) var<uniform> sizes: Sizes;

fn next(x: vec4f, factor: vec4f, term: vec4f) -> vec4f {
  if (FUSED) { return fma(x, factor, term); }
  return x * factor + term;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let rounds = sizes.rounds;
  let p = vec4f(sizes.factor);
  let q = vec4f(sizes.term);
  let start = vec4f(0, 1, 2, 3) + f32(id.x) * 1e-6;
  var a = start;
  var b = start + 1;
  if (WIDE) {
    var c = start + 2;
    var d = start + 3;
    var e = start + 4;
    var f = start + 5;
    var g = start + 6;
    var h = start + 7;
    for (var i = 0u; i < rounds; i++) {
      a = next(a, p, q); b = next(b, p, q); c = next(c, p, q); d = next(d, p, q);
      e = next(e, p, q); f = next(f, p, q); g = next(g, p, q); h = next(h, p, q);
      a = next(a, p, q); b = next(b, p, q); c = next(c, p, q); d = next(d, p, q);
      e = next(e, p, q); f = next(f, p, q); g = next(g, p, q); h = next(h, p, q);
    }
    y[id.x] = a + b + c + d + e + f + g + h;
  } else {
    for (var i = 0u; i < rounds; i++) {
      a = next(a, p, q); b = next(b, p, q); a = next(a, p, q); b = next(b, p, q);
      a = next(a, p, q); b = next(b, p, q); a = next(a, p, q); b = next(b, p, q);
      a = next(a, p, q); b = next(b, p, q); a = next(a, p, q); b = next(b, p, q);
      a = next(a, p, q); b = next(b, p, q); a = next(a, p, q); b = next(b, p, q);
    }
    y[id.x] = a + b;
  }
}
