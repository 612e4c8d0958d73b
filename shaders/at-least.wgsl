// In every module. ReLU and pooling, but for NaN: WGSL's max may give either operand for it, and a compiler may take it that there is
// none, so the bits tell.

fn isNan(value: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(value) & vec4u(0x7fffffff)) > vec4u(0x7f800000);
}

// The larger one; a `value` that is NaN stays so, and it is not looked at in `least`.
fn atLeast(value: vec4f, least: vec4f) -> vec4f {
  return select(max(value, least), value, isNan(value));
}

// ReLU, or nothing.
fn reluIf(isRelu: bool, value: vec4f) -> vec4f {
  return select(value, atLeast(value, vec4f(0)), isRelu);
}
