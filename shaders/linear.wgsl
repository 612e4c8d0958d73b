// linear: a fully connected layer, or a range of its outputs where its weights exceed one binding.
//
//   y[n, first + o] = relu?(bias[o] + sum over i of x[n, i] w[i, o] + residual[n, first + o])
//
//   x        [N, inVectors] vec4: all pixels and channels of one image as they lie in memory
//   weights  [4 inVectors, rangeVectors] vec4 over outputs, rows in the order of x
//   bias     [outVectors] vec4
//   y, residual [N, outVectors] vec4
//
// A workgroup computes 8 output vec4s of one image. Its 64 invocations are 8 outputs x 8 slices of the input; the slices'
// partial sums meet in workgroup memory: with one row per image there is too little parallelism otherwise.

struct Sizes {
  inVectors: u32,
  outVectors: u32,
  firstVector: u32, // of the range
  rangeVectors: u32,
  relu: u32,
}

// Whether a residual is added. Fixed per pipeline: some adapters run both sides of a branch, loads included.
override RESIDUAL: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> weights: array<Stored>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<Stored>;
@group(0) @binding(4) var<storage, read_write> y: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let image = group.y;
  let slice = local / 8;
  let vector = group.x * 8 + local % 8;
  var sum = vec4f(0);
  if (vector < sizes.rangeVectors) {
    for (var i = slice; i < sizes.inVectors; i += 8) {
      let value = vec4f(x[image * sizes.inVectors + i]);
      let w = i * 4 * sizes.rangeVectors + vector;
      sum += value.x * vec4f(weights[w]);
      sum += value.y * vec4f(weights[w + sizes.rangeVectors]);
      sum += value.z * vec4f(weights[w + 2 * sizes.rangeVectors]);
      sum += value.w * vec4f(weights[w + 3 * sizes.rangeVectors]);
    }
  }
  partial[local] = sum;
  workgroupBarrier();

  if (slice != 0 || vector >= sizes.rangeVectors) { return; }
  var value = bias[sizes.firstVector + vector];
  for (var s = 0u; s < 8; s++) { value += partial[s * 8 + local]; }
  let index = image * sizes.outVectors + sizes.firstVector + vector;
  if (RESIDUAL) { value += vec4f(residual[index]); }
  value = reluIf(sizes.relu != 0, value);
  y[index] = Stored(value);
}
