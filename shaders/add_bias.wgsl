// sum = x + bias, where x and sum are (rows, columns) and bias is one row for all, rows padded to whole vec4s. Each thread
// takes one vec4.
//
// Prelude: elem, THREADS.

struct Shape { rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<elem>>;
@group(0) @binding(3) var<storage, read_write> sum: array<vec4<elem>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = (shape.columns + 3u) / 4u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  if (at >= shape.rows * words) { return; }
  sum[at] = vec4<elem>(vec4f(x[at]) + vec4f(bias[at % words]));
}
