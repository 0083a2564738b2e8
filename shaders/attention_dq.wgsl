// The gradient of attention by its queries.  With P = softmax(Q·Kᵀ / √headDim), made again from `stats` (see
// attention_stats.wgsl):  dS = P ∘ (dO·Vᵀ - delta),  dQ = dS·K / √headDim.
//
// Rows, tiles and the prelude as there; and SLOTS = ⌈ROWS · HEAD_WORDS / THREADS⌉ vec4s of dQ for each thread. v is
// like k, dq like q.

struct Shape { batch: u32, tokens: u32, heads: u32, kvHeads: u32, headDim: u32, window: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> d_o: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;

const ROW_STEP = THREADS / KEYS;

var<workgroup> query: array<vec4f, ROWS * HEAD_WORDS>;
var<workgroup> given: array<vec4f, ROWS * HEAD_WORDS>;
var<workgroup> stat: array<vec2f, ROWS>;
var<workgroup> slope: array<f32, ROWS * KEYS>;

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
  let scale = inverseSqrt(f32(shape.headDim));

  for (var i = thread; i < ROWS * HEAD_WORDS; i += THREADS) {
    let row = min(first + i / HEAD_WORDS, last);
    let at = (start + row / sharing * shape.heads + row % sharing) * HEAD_WORDS + i % HEAD_WORDS;
    query[i] = q[at] * scale;
    given[i] = d_o[at];
  }
  for (var r = thread; r < ROWS; r += THREADS) {
    let row = min(first + r, last);
    stat[r] = stats[start + row / sharing * shape.heads + row % sharing].xy;
  }

  let oldest = first / sharing;
  let begin = oldest + 1u - min(shape.window, oldest + 1u);
  let end = last / sharing + 1u;
  let lane = thread % KEYS;
  var acc = array<vec4f, SLOTS>();
  for (var tile = begin; tile < end; tile += KEYS) {
    workgroupBarrier();
    let key = tile + lane;
    var dots = array<f32, ROWS_PER_THREAD>();
    var backs = array<f32, ROWS_PER_THREAD>();
    if (key < end) {
      for (var word = 0u; word < HEAD_WORDS; word++) {
        let column = k[cache + key * HEAD_WORDS + word];
        let value = v[cache + key * HEAD_WORDS + word];
        for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
          let r = min(thread / KEYS + i * ROW_STEP, ROWS - 1u);
          dots[i] += dot(query[r * HEAD_WORDS + word], column);
          backs[i] += dot(given[r * HEAD_WORDS + word], value);
        }
      }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
      let r = thread / KEYS + i * ROW_STEP;
      let position = min(first + r, last) / sharing;
      let seen = key < end && key <= position && key + shape.window > position;
      if (r < ROWS) {
        slope[r * KEYS + lane] = select(0.0, exp(dots[i] - stat[r].x) * (backs[i] - stat[r].y), seen);
      }
    }
    workgroupBarrier();
    let seen = min(KEYS, end - tile);
    for (var s = 0u; s < SLOTS; s++) { // unroll
      let slot = min(thread + s * THREADS, ROWS * HEAD_WORDS - 1u);
      let at = cache + tile * HEAD_WORDS + slot % HEAD_WORDS;
      var sum = acc[s];
      for (var i = 0u; i < seen; i++) {
        sum = fma(vec4f(slope[slot / HEAD_WORDS * KEYS + i]), k[at + i * HEAD_WORDS], sum);
      }
      acc[s] = sum;
    }
  }

  for (var s = 0u; s < SLOTS; s++) { // unroll
    let slot = thread + s * THREADS;
    let row = first + slot / HEAD_WORDS;
    if (slot < ROWS * HEAD_WORDS && row <= last) {
      dq[(start + row / sharing * shape.heads + row % sharing) * HEAD_WORDS + slot % HEAD_WORDS] = acc[s] * scale;
    }
  }
}
