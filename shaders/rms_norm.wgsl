// Each row divided by the root of the mean of its squares, and multiplied by a weight per column (Zhang & Sennrich,
// arXiv 1910.07467).  x, normed are (rows, columns), weight is (1, columns), rows padded to whole vec4s with zeros.
//
// Where ADD is 1 it is x + y that is divided, and written to `sum` besides: the residual connection and the norm after
// it in one pass. A workgroup takes a row.
//
// Prelude: elem, THREADS (a power of two), ADD.

struct Shape { rows: u32, columns: u32, nanoEpsilon: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<elem>>;
@group(0) @binding(3) var<storage, read_write> normed: array<vec4<elem>>;
@group(0) @binding(4) var<storage, read> y: array<vec4<elem>>;
@group(0) @binding(5) var<storage, read_write> sum: array<vec4<elem>>;

var<workgroup> squares: array<f32, THREADS>;

fn row_word(at: u32) -> vec4f {
  var word = vec4f(x[at]);
  for (var once = 0u; once < ADD; once++) { // unroll
    word += vec4f(y[at]);
  }
  return word;
}

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

  var total = 0.0;
  for (var at = thread; at < words; at += THREADS) {
    let word = row_word(begin + at);
    total += dot(word, word);
  }
  squares[thread] = total;
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (thread < reach) { squares[thread] += squares[thread + reach]; }
  }
  workgroupBarrier();

  let scale = inverseSqrt(squares[0] / f32(shape.columns) + f32(shape.nanoEpsilon) * 1e-9);
  for (var at = thread; at < words; at += THREADS) {
    let word = row_word(begin + at);
    for (var once = 0u; once < ADD; once++) { // unroll
      sum[begin + at] = vec4<elem>(word);
    }
    normed[begin + at] = vec4<elem>(word * scale * vec4f(weight[at]));
  }
}
