// The gradient of the mean loss by the logits: (softmax(logits) - [column is the target]) / rows.  logits and gradient
// are (rows, columns), targets (1, rows), stats (rows, 2) as cross_entropy.wgsl leaves them. Each thread takes one vec4;
// what pads a row becomes zero.
//
// Prelude: THREADS.

struct Shape { rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<vec4f>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> gradient: array<vec4f>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = (shape.columns + 3u) / 4u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  let row = at / words;
  if (row >= shape.rows) { return; }
  let columns = vec4u(4u * (at % words)) + vec4u(0, 1, 2, 3);
  let chosen = select(vec4f(), vec4f(1), columns == vec4u(targets[row]));
  let share = exp(min(logits[at] - stats[row].y, vec4f(80)));
  gradient[at] = select(vec4f(), (share - chosen) / f32(shape.rows), columns < vec4u(shape.columns));
}
