// The column of the largest of each row's PARTS parts, as argmax.wgsl has left them; of equals the first counts.
// ids is (1, rows). Each thread takes a row.
//
// Prelude: THREADS, PARTS.

struct Shape { rows: u32, columns: u32, block: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> best: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = (group.y * grid.x + group.x) * THREADS + thread;
  if (row >= shape.rows) { return; }
  var top = best[row * PARTS];
  for (var part = row * PARTS + 1u; part < (row + 1u) * PARTS; part++) {
    if (best[part].x > top.x) { top = best[part]; }
  }
  // Where nothing is a number, no column is the largest: the first is as good as any, and exists.
  ids[row] = select(0u, u32(top.y), u32(top.y) < shape.columns);
}
