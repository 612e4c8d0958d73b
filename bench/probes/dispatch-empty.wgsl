// dispatch-empty: nothing at all; dispatches of it need not wait for each other.

@compute @workgroup_size(1)
fn main() {}
