// Of each row of attention what its backward pass needs: the logarithm of the sum of the exponentials of its scores, and
// the sum of d_o ∘ o (Dao et al., arXiv 2205.14135, section B.2).  q, o and d_o are (batch · tokens · heads, headDim), k is
// (batch · kvHeads · tokens, headDim), stats are (batch · tokens · heads, 2).
//
// Every sequence is read from its beginning; token i sees the keys up to its own, at most `window` of them. A workgroup
// takes ROWS rows of one key/value head; a row is one token of one of the query heads that share it. A thread takes one
// key of each tile of KEYS and some of the rows.
//
// Prelude: HEAD_WORDS, the vec4s of a head; ROWS, THREADS, KEYS (divides THREADS); derived from these
// ROWS_PER_THREAD = ⌈ROWS / (THREADS / KEYS)⌉.

struct Shape { batch: u32, tokens: u32, heads: u32, kvHeads: u32, headDim: u32, window: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> o: array<vec4f>;
@group(0) @binding(4) var<storage, read> d_o: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec4f>;

const MASKED = -1e30;
const ROW_STEP = THREADS / KEYS;

var<workgroup> query: array<vec4f, ROWS * HEAD_WORDS>;
// Of each row and lane the highest score, and the sum of the weights by it.
var<workgroup> parts: array<vec2f, ROWS * KEYS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let sharing = shape.heads / shape.kvHeads;
  let rows = shape.tokens * sharing;
  let tiles = (rows + ROWS - 1u) / ROWS;
  let index = group.y * grid.x + group.x;
  let kv_head = index / tiles % shape.kvHeads;
  let sequence = index / tiles / shape.kvHeads;
  if (sequence >= shape.batch) { return; }
  let first = index % tiles * ROWS;
  let last = min(first + ROWS, rows) - 1u;
  let start = sequence * shape.tokens * shape.heads + kv_head * sharing;
  let cache = (sequence * shape.kvHeads + kv_head) * shape.tokens * HEAD_WORDS;

  for (var i = thread; i < ROWS * HEAD_WORDS; i += THREADS) {
    let row = min(first + i / HEAD_WORDS, last);
    let at = start + row / sharing * shape.heads + row % sharing;
    query[i] = q[at * HEAD_WORDS + i % HEAD_WORDS] * inverseSqrt(f32(shape.headDim));
  }
  workgroupBarrier();

  let oldest = first / sharing;
  let begin = oldest + 1u - min(shape.window, oldest + 1u);
  let end = last / sharing + 1u;
  let lane = thread % KEYS;
  var highest: array<f32, ROWS_PER_THREAD>;
  var total = array<f32, ROWS_PER_THREAD>();
  for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
    highest[i] = MASKED;
  }
  for (var key = begin + lane; key < end; key += KEYS) {
    var dots = array<f32, ROWS_PER_THREAD>();
    for (var word = 0u; word < HEAD_WORDS; word++) {
      let column = k[cache + key * HEAD_WORDS + word];
      for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
        let r = min(thread / KEYS + i * ROW_STEP, ROWS - 1u);
        dots[i] += dot(query[r * HEAD_WORDS + word], column);
      }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
      let position = min(first + thread / KEYS + i * ROW_STEP, last) / sharing;
      if (key <= position && key + shape.window > position) {
        let peak = max(highest[i], dots[i]);
        total[i] = total[i] * exp(highest[i] - peak) + exp(dots[i] - peak);
        highest[i] = peak;
      }
    }
  }
  for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
    let r = thread / KEYS + i * ROW_STEP;
    if (r < ROWS) { parts[r * KEYS + lane] = vec2f(highest[i], total[i]); }
  }
  workgroupBarrier();

  for (var r = thread; r < ROWS; r += THREADS) {
    let row = first + r;
    if (row <= last) {
      var peak = MASKED;
      for (var i = 0u; i < KEYS; i++) { peak = max(peak, parts[r * KEYS + i].x); }
      var all = 0.0;
      for (var i = 0u; i < KEYS; i++) { all += parts[r * KEYS + i].y * exp(parts[r * KEYS + i].x - peak); }
      let at = start + row / sharing * shape.heads + row % sharing;
      var delta = 0.0;
      for (var word = 0u; word < HEAD_WORDS; word++) {
        delta += dot(o[at * HEAD_WORDS + word], d_o[at * HEAD_WORDS + word]);
      }
      stats[at] = vec4f(peak + log(all), delta, 0, 0);
    }
  }
}
