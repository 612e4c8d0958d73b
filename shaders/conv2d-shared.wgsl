// conv2d-shared: what the tiles that stage their operands in workgroup memory share. Stands between conv2d.wgsl and a tile.
//
//   weights  [k, k, 4 groupVectors, weightVectors] vec4 over output channels
//
// A block is 16 inputs (4 vec4s) of all the tile's pixels and their weights. An invocation loads its share of a block into
// registers, writes it to workgroup memory between two barriers, and loads the next one while all sum: the wait for memory
// is hidden even where only few workgroups run side by side. Blocks do not straddle a window's rows.
//
// Pixels keep the order [pixel][vec4 over inputs] that they have in x, each staged vec4 at its invocation's own number:
// neighbours write neighbours. In a subgroup, those that read x want a few vec4s that lie in a row (a tile's invocations take
// pixels by turns for that), the others read the same; those that read weights want neighbours. So no padding against bank
// conflicts is needed.

@group(0) @binding(1) var<storage, read> weights: array<Stored>;

// Blocks in a window's row, from vec4 `begin` on.
fn blocksOfRun(begin: u32) -> u32 {
  return (sizes.runVectors - begin + 3) / 4;
}

// Vec4 `i` of a window's row `ky`: 0 past the row's end.
fn stagedInput(w: Window, ky: u32, i: u32) -> Stored {
  let isInside = i < sizes.runVectors;
  let start = w.start + i32(ky * sizes.inWidth * sizes.inVectors);
  return Stored(select(vec4f(0), load(start, select(0, i, isInside), w, rowInside(w, ky)), isInside));
}

// The weights of one vec4 of outputs for input `input` of the block at vec4 `i`: those past the row's end are multiplied by 0.
fn stagedWeight(ky: u32, i: u32, input: u32, vector: u32) -> Stored {
  let inRow = min(i * 4 + input, sizes.runVectors * 4 - 1);
  return weights[(ky * sizes.runVectors * 4 + inRow) * sizes.weightVectors + vector];
}
