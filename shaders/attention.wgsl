// O = softmax(Q·Kᵀ / √headDim) · V with grouped-query heads and a causal bound, in one pass over the
// keys (online softmax: Milakov & Gimelshein 2018; Dao et al. 2022).
//
// The queries are the last ones of the sequence: query i sits at position keys - queries + i and sees
// the keys up to its own position, at most `window` of them. One query over a cache is decode; as many
// queries as keys is prefill. Rows are padded to whole vec4s; HEAD_WORDS of them make a head.
//   Q, O: (batch · queries · heads, headDim)      K, V: (batch · kvHeads · keys, headDim)
//
// Where the cache is in q8_0 (QUANTISED), K holds keys and then values as whole numbers, four in a word, and `scales` in
// blocks of 32 the largest of each: (2 · batch · kvHeads · keys, headDim / 32), two f16 in each u32. It says how large 127 is.
//
// A workgroup takes ROWS rows of one key/value head. A row is one query of one of the query heads that
// share the key/value head, so that each key is read once for all of them.
//
// The keys of a tile of rows may be divided into SPLITS, each for a workgroup of its own (Dao, Haziza, Massa & Sizov,
// "Flash-Decoding", 2023). O is then what attention_merge.wgsl makes of the splits' own results and `stats`, the
// highest score and the sum of the weights of each: row by row, split by split.
//
// Prelude: elem, kv (what is loaded of K and V at once), out (an element of O); of PLAIN, PACKED and QUANTISED one is 1
// and the others 0: kv is a vec4f, a vec2u of four halves, or a vec4u of 16 whole numbers; FLOATS = PLAIN + PACKED;
// WIDE, the vec4s that a kv makes; HEAD_WORDS, LOADS = HEAD_WORDS / WIDE, SCALE_WORDS (of a head, with its padding);
// SPLITS, PARTIAL (1 where there are several splits, else 0), ROWS, THREADS, KEYS (divides THREADS); derived from these
// ROWS_PER_THREAD = ⌈ROWS / (THREADS / KEYS)⌉ and SLOTS = ⌈ROWS · HEAD_WORDS / THREADS⌉.

struct Shape { batch: u32, queries: u32, keys: u32, heads: u32, kvHeads: u32, headDim: u32, window: u32, capacity: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> q: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> k: array<kv>;
@group(0) @binding(3) var<storage, read> v: array<kv>;
// In v's place where QUANTISED: k holds keys and, behind them all, values.
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4<out>>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec4f>;

const MASKED = -1e30;
const ROW_STEP = THREADS / KEYS;

var<workgroup> query: array<vec4f, ROWS * HEAD_WORDS>;
var<workgroup> score: array<f32, ROWS * KEYS>;
var<workgroup> highest: array<f32, ROWS>;
var<workgroup> rescale: array<f32, ROWS>;

// Four neighbours of a cache in q8_0, as whole numbers.
fn whole(word: u32) -> vec4f { return vec4f(vec4i(vec4u(word) << vec4u(24, 16, 8, 0)) >> vec4u(24)); }

// What they are multiples of, where they are vec4 number `at` of the cache: the largest of their block is 127 of it.
fn step_at(at: u32) -> f32 {
  for (var once = 0u; once < FLOATS; once++) { // unroll
    return 1.0;
  }
  for (var once = 0u; once < QUANTISED; once++) { // unroll
    let block = at % HEAD_WORDS / 8u;
    return unpack2x16float(scales[at / HEAD_WORDS * SCALE_WORDS + block / 2u] >> (16u * (block % 2u))).x / 127;
  }
}

fn numbers(loaded: kv, step: f32) -> array<vec4f, WIDE> {
  for (var once = 0u; once < PLAIN; once++) { // unroll
    return array<vec4f, WIDE>(vec4f(loaded));
  }
  for (var once = 0u; once < PACKED; once++) { // unroll
    return array<vec4f, WIDE>(vec4f(unpack2x16float(loaded.x), unpack2x16float(loaded.y)));
  }
  for (var once = 0u; once < QUANTISED; once++) { // unroll
    return array<vec4f, WIDE>(step * whole(loaded.x), step * whole(loaded.y), step * whole(loaded.z), step * whole(loaded.w));
  }
}

// The vec4s of a load of the key that begins at vec4 number `at`.
fn keys_at(at: u32, load: u32) -> array<vec4f, WIDE> {
  return numbers(k[at / WIDE + load], step_at(at + load * WIDE));
}

fn behind_keys(at: u32) -> u32 { return at + shape.batch * shape.kvHeads * shape.capacity * HEAD_WORDS; }

// Vec4 number `at` of the values.
fn value_at(at: u32) -> vec4f {
  for (var once = 0u; once < FLOATS; once++) { // unroll
    return numbers(v[at], 1.0)[0];
  }
  for (var once = 0u; once < QUANTISED; once++) { // unroll
    let behind = behind_keys(at);
    return step_at(behind) * whole(k[behind / WIDE][behind % WIDE]);
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let sharing = shape.heads / shape.kvHeads;
  let rows = shape.queries * sharing;
  let tiles = (rows + ROWS - 1u) / ROWS;
  let index = group.y * grid.x + group.x;
  let split = index % SPLITS;
  let head = index / SPLITS / tiles;
  let kv_head = head % shape.kvHeads;
  let sequence = head / shape.kvHeads;
  if (sequence >= shape.batch) { return; }
  let first = index / SPLITS % tiles * ROWS;
  let last = min(first + ROWS, rows) - 1u;
  let past = shape.keys - shape.queries;
  let cache = (sequence * shape.kvHeads + kv_head) * shape.capacity * HEAD_WORDS;

  for (var i = thread; i < ROWS * HEAD_WORDS; i += THREADS) {
    let row = min(first + i / HEAD_WORDS, last);
    let at = (sequence * shape.queries + row / sharing) * shape.heads + kv_head * sharing + row % sharing;
    query[i] = vec4f(q[at * HEAD_WORDS + i % HEAD_WORDS]) * inverseSqrt(f32(shape.headDim));
  }
  for (var r = thread; r < ROWS; r += THREADS) { highest[r] = MASKED; }

  var acc: array<vec4f, SLOTS>;
  var total: array<f32, SLOTS>;
  let oldest = past + first / sharing;
  let begin = select(0u, oldest + 1u - shape.window, oldest + 1u > shape.window);
  let end = past + last / sharing + 1u;
  let share = (end - begin + SPLITS - 1u) / SPLITS;
  let stop = min(begin + (split + 1u) * share, end);
  let lane = thread % KEYS;

  for (var tile = begin + split * share; tile < stop; tile += KEYS) {
    workgroupBarrier();
    let key = tile + lane;
    // Set to zero in so many words: without an initialiser it kept its value from tile to tile, both
    // in Chromium 156 and in Firefox 153.
    var dots = array<f32, ROWS_PER_THREAD>();
    if (key < stop) {
      for (var load = 0u; load < LOADS; load++) {
        let columns = keys_at(cache + key * HEAD_WORDS, load);
        for (var each = 0u; each < WIDE; each++) { // unroll
          for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
            let r = min(thread / KEYS + i * ROW_STEP, ROWS - 1u);
            dots[i] += dot(query[r * HEAD_WORDS + load * WIDE + each], columns[each]);
          }
        }
      }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) { // unroll
      let r = thread / KEYS + i * ROW_STEP;
      let position = past + min(first + r, last) / sharing;
      if (r < ROWS) { score[r * KEYS + lane] = select(MASKED, dots[i], key < stop && key <= position && key + shape.window > position); }
    }
    workgroupBarrier();

    for (var r = thread; r < ROWS; r += THREADS) {
      var peak = highest[r];
      for (var i = 0u; i < KEYS; i++) { peak = max(peak, score[r * KEYS + i]); }
      rescale[r] = exp(highest[r] - peak);
      highest[r] = peak;
    }
    workgroupBarrier();

    for (var i = thread; i < ROWS * KEYS; i += THREADS) {
      score[i] = select(0.0, exp(score[i] - highest[i / KEYS]), score[i] > MASKED);
    }
    workgroupBarrier();

    let seen = min(KEYS, stop - tile);
    for (var s = 0u; s < SLOTS; s++) { // unroll
      let slot = min(thread + s * THREADS, ROWS * HEAD_WORDS - 1u);
      let r = slot / HEAD_WORDS;
      let at = cache + tile * HEAD_WORDS + slot % HEAD_WORDS;
      var sum = acc[s] * rescale[r];
      var weights = total[s] * rescale[r];
      for (var i = 0u; i < seen; i++) {
        let weight = score[r * KEYS + i];
        sum = fma(vec4f(weight), value_at(at + i * HEAD_WORDS), sum);
        weights += weight;
      }
      acc[s] = sum;
      total[s] = weights;
    }
  }

  for (var once = 0u; once < PARTIAL; once++) { // unroll
    // A split without a key has met no barrier since the highest scores were set.
    workgroupBarrier();
  }
  for (var s = 0u; s < SLOTS; s++) { // unroll
    let slot = thread + s * THREADS;
    let row = first + slot / HEAD_WORDS;
    if (slot < ROWS * HEAD_WORDS && row <= last) {
      let at = (sequence * shape.queries + row / sharing) * shape.heads + kv_head * sharing + row % sharing;
      // A split may have no key to see.
      o[(at * SPLITS + split) * HEAD_WORDS + slot % HEAD_WORDS] = vec4<out>(acc[s] / select(1.0, total[s], total[s] > 0.0));
      for (var once = 0u; once < PARTIAL; once++) { // unroll
        if (slot % HEAD_WORDS == 0u) { stats[at * SPLITS + split] = vec4f(highest[slot / HEAD_WORDS], total[s], 0.0, 0.0); }
      }
    }
  }
}
