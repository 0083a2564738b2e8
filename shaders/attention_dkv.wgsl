// The gradient of attention by its keys and values.  With P and dS as in attention_dq.wgsl:  dK = dSᵀ·Q / √headDim,
// dV = Pᵀ·dO, each a sum over the rows that see the key, of all query heads that share it, in one order: nothing is added
// up by whoever comes first.
//
// A workgroup takes ROWS keys of one key/value head, and the rows that see them in tiles of KEYS, a thread one of each
// tile and some of the keys. Prelude as there; dk and dv are like k and v.

struct Shape { batch: u32, tokens: u32, heads: u32, kvHeads: u32, headDim: u32, window: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> d_o: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;

const ROW_STEP = THREADS / KEYS;

var<workgroup> keys: array<vec4f, ROWS * HEAD_WORDS>;
var<workgroup> values: array<vec4f, ROWS * HEAD_WORDS>;
// P and dS of each key and row of a tile.
var<workgroup> weights: array<vec2f, ROWS * KEYS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let sharing = shape.heads / shape.kvHeads;
  let tiles = (shape.tokens + ROWS - 1u) / ROWS;
  let index = group.y * grid.x + group.x;
  let kv_head = index / tiles % shape.kvHeads;
  let sequence = index / tiles / shape.kvHeads;
  if (sequence >= shape.batch) { return; }
  let first = index % tiles * ROWS;
  let last = min(first + ROWS, shape.tokens) - 1u;
  let start = sequence * shape.tokens * shape.heads + kv_head * sharing;
  let cache = (sequence * shape.kvHeads + kv_head) * shape.tokens * HEAD_WORDS;
  let scale = inverseSqrt(f32(shape.headDim));

  for (var i = thread; i < ROWS * HEAD_WORDS; i += THREADS) {
    let at = cache + min(first + i / HEAD_WORDS, last) * HEAD_WORDS + i % HEAD_WORDS;
    keys[i] = k[at] * scale;
    values[i] = v[at];
  }

  let begin = first * sharing;
  let end = min(last + shape.window, shape.tokens) * sharing;
  let lane = thread % KEYS;
  var acc_k = array<vec4f, SLOTS>();
  var acc_v = array<vec4f, SLOTS>();
  for (var tile = begin; tile < end; tile += KEYS) {
    workgroupBarrier();
    let row = tile + lane;
    let position = row / sharing;
    let at = start + position * shape.heads + row % sharing;
    var dots = array<f32, ROWS_PER_THREAD>();
    var backs = array<f32, ROWS_PER_THREAD>();
    var stat = vec2f();
    if (row < end) {
      stat = stats[at].xy;
      for (var word = 0u; word < HEAD_WORDS; word++) {
        let query = q[at * HEAD_WORDS + word];
        let given = d_o[at * HEAD_WORDS + word];
        for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
          let r = min(thread / KEYS + i * ROW_STEP, ROWS - 1u);
          dots[i] += dot(query, keys[r * HEAD_WORDS + word]);
          backs[i] += dot(given, values[r * HEAD_WORDS + word]);
        }
      }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
      let r = thread / KEYS + i * ROW_STEP;
      let key = first + r;
      let share = exp(dots[i] - stat.x);
      let seen = row < end && key <= position && key + shape.window > position;
      if (r < ROWS) {
        weights[r * KEYS + lane] = select(vec2f(), vec2f(share, share * (backs[i] - stat.y)), seen);
      }
    }
    workgroupBarrier();
    let rows = min(KEYS, end - tile);
    for (var s = 0u; s < SLOTS; s++) { // unroll
      let slot = min(thread + s * THREADS, ROWS * HEAD_WORDS - 1u);
      let word = slot % HEAD_WORDS;
      var sum_k = acc_k[s];
      var sum_v = acc_v[s];
      for (var i = 0u; i < rows; i++) {
        let from_row = start + (tile + i) / sharing * shape.heads + (tile + i) % sharing;
        let weight = weights[slot / HEAD_WORDS * KEYS + i];
        sum_v = fma(vec4f(weight.x), d_o[from_row * HEAD_WORDS + word], sum_v);
        sum_k = fma(vec4f(weight.y), q[from_row * HEAD_WORDS + word], sum_k);
      }
      acc_k[s] = sum_k;
      acc_v[s] = sum_v;
    }
  }

  for (var s = 0u; s < SLOTS; s++) { // unroll
    let slot = thread + s * THREADS;
    let key = first + slot / HEAD_WORDS;
    if (slot < ROWS * HEAD_WORDS && key <= last) {
      dk[cache + key * HEAD_WORDS + slot % HEAD_WORDS] = acc_k[s] * scale;
      dv[cache + key * HEAD_WORDS + slot % HEAD_WORDS] = acc_v[s];
    }
  }
}
