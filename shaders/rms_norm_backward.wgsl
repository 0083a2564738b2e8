// The gradient of rms_norm.wgsl's rows by x: with s the inverse root of the mean square and n columns,
//
//   dx = s · weight ∘ dy - x · s³ / n · Σ weight ∘ dy ∘ x,       shares = dy ∘ x · s
//
// where the shares of all rows add up to the gradient by the weight. Where ADD is 1, `given` is added to dx: what has
// come back past the block, through the residual connection.  All are (rows, columns) but weight, which is (1, columns).
// A workgroup takes a row.
//
// Prelude: THREADS (a power of two), ADD.

struct Shape { rows: u32, columns: u32, nanoEpsilon: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> shares: array<vec4f>;
@group(0) @binding(6) var<storage, read> given: array<vec4f>;

// Of each thread the sum of its squares, and of its products.
var<workgroup> sums: array<vec2f, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.y * grid.x + group.x;
  if (row >= shape.rows) { return; }
  let words = (shape.columns + 3u) / 4u;
  let begin = row * words;

  var total = vec2f();
  for (var at = thread; at < words; at += THREADS) {
    let word = x[begin + at];
    total += vec2f(dot(word, word), dot(word, weight[at] * dy[begin + at]));
  }
  sums[thread] = total;
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (thread < reach) { sums[thread] += sums[thread + reach]; }
  }
  workgroupBarrier();

  let n = f32(shape.columns);
  let scale = inverseSqrt(sums[0].x / n + f32(shape.nanoEpsilon) * 1e-9);
  let back = sums[0].y * scale * scale * scale / n;
  for (var at = thread; at < words; at += THREADS) {
    let word = x[begin + at];
    let up = dy[begin + at];
    var gradient = scale * weight[at] * up - word * back;
    for (var once = 0u; once < ADD; once++) { // unroll
      gradient += given[begin + at];
    }
    dx[begin + at] = gradient;
    shares[begin + at] = up * word * scale;
  }
}
