// Probe: what does a dispatch cost that does next to nothing?  It writes one number, so that it
// cannot be dropped.
//
// Prelude: elem.

struct Shape { mark: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> mark: array<elem, 4>;

@compute @workgroup_size(1)
fn main() { mark[0] = elem(shape.mark); }
