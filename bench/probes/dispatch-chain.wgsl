// dispatch-chain: next to nothing, but each dispatch reads what the one before it wrote, so that they must take turns.

@group(0) @binding(0) var<storage, read_write> count: array<u32>;

@compute @workgroup_size(1)
fn main() {
  count[0] = count[0] + 1;
}
