// What the model's prediction of each next token costs: the logarithm of the sum of the exponentials of a row of logits,
// less the logit of the token that came.  logits are (rows, columns), targets (1, rows), stats (rows, 2): the loss and
// that logarithm, which the gradient needs. A workgroup takes a row.
//
// Prelude: THREADS (a power of two).

struct Shape { rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec4f>;

const LOWEST = -3.4e38;

var<workgroup> parts: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.y * grid.x + group.x;
  if (row >= shape.rows) { return; }
  let begin = row * ((shape.columns + 3u) / 4u * 4u);

  var highest = LOWEST;
  for (var column = thread; column < shape.columns; column += THREADS) {
    highest = max(highest, logits[begin + column]);
  }
  parts[thread] = highest;
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (thread < reach) { parts[thread] = max(parts[thread], parts[thread + reach]); }
  }
  workgroupBarrier();
  let peak = parts[0];
  workgroupBarrier();

  var total = 0.0;
  for (var column = thread; column < shape.columns; column += THREADS) {
    total += exp(logits[begin + column] - peak);
  }
  parts[thread] = total;
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (thread < reach) { parts[thread] += parts[thread + reach]; }
  }
  if (thread == 0u) {
    let all = peak + log(parts[0]);
    stats[row] = vec4f(all - logits[begin + targets[row]], all, 0, 0);
  }
}
