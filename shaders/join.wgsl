// Rows made whole: what a matrix product in pieces leaves behind comes in blocks of `block` columns, block after block, each
// with all rows.  blocks is (⌈columns / block⌉ · rows, block), out is (rows, columns), rows padded to whole vec4s; a block is
// a whole number of these. Each thread takes one vec4.
//
// Prelude: elem, THREADS.

struct Shape { rows: u32, columns: u32, block: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> blocks: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<elem>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = (shape.columns + 3u) / 4u;
  let block = shape.block / 4u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  let row = at / words;
  if (row >= shape.rows) { return; }
  let word = at % words;
  out[at] = blocks[(word / block * shape.rows + row) * block + word % block];
}
