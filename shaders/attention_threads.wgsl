// O = softmax(Q·Kᵀ / √headDim) · V like attention_subgroups.wgsl, but each thread for itself: it takes ROWS rows of one
// key/value head and one split of their keys, and holds rows and sums in registers. Neighbouring threads have
// neighbouring splits, or neighbouring rows where there is one split only.
//
// Prelude: elem, kv, out, PLAIN, PACKED, QUANTISED, FLOATS, WIDE, LOADS, SCALE_WORDS, HEAD_WORDS, ROWS, SPLITS and PARTIAL
// as there; THREADS, and KEYS that a thread takes at once.

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

// The same of a value.
fn values_at(at: u32, load: u32) -> array<vec4f, WIDE> {
  for (var once = 0u; once < FLOATS; once++) { // unroll
    return numbers(v[at + load], 1.0);
  }
  for (var once = 0u; once < QUANTISED; once++) { // unroll
    return keys_at(behind_keys(at), load);
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
  let unit = (group.y * grid.x + group.x) * THREADS + thread;
  let split = unit % SPLITS;
  let head = unit / SPLITS / tiles;
  let kv_head = head % shape.kvHeads;
  let sequence = head / shape.kvHeads;
  if (sequence >= shape.batch) { return; }
  let first = unit / SPLITS % tiles * ROWS;
  let last = min(first + ROWS, rows) - 1u;
  let past = shape.keys - shape.queries;
  let cache = (sequence * shape.kvHeads + kv_head) * shape.capacity * HEAD_WORDS;

  let oldest = past + first / sharing;
  let begin = oldest + 1u - min(shape.window, oldest + 1u);
  let end = past + last / sharing + 1u;
  let share = (end - begin + SPLITS - 1u) / SPLITS;
  let stop = min(begin + (split + 1u) * share, end);

  var at_row: array<u32, ROWS>;
  var position: array<u32, ROWS>;
  var query: array<vec4f, ROWS * HEAD_WORDS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    let row = min(first + r, last);
    position[r] = past + row / sharing;
    at_row[r] = (sequence * shape.queries + row / sharing) * shape.heads + kv_head * sharing + row % sharing;
    for (var word = 0u; word < HEAD_WORDS; word++) { // unroll
      query[r * HEAD_WORDS + word] = vec4f(q[at_row[r] * HEAD_WORDS + word]) * inverseSqrt(f32(shape.headDim));
    }
  }

  var acc = array<vec4f, ROWS * HEAD_WORDS>();
  var total = array<f32, ROWS>();
  var highest: array<f32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    highest[r] = MASKED;
  }

  for (var tile = begin + split * share; tile < stop; tile += KEYS) {
    var score = array<f32, ROWS * KEYS>();
    var at_key: array<u32, KEYS>;
    for (var i = 0u; i < KEYS; i++) { // unroll
      at_key[i] = cache + min(tile + i, stop - 1u) * HEAD_WORDS;
    }
    for (var load = 0u; load < LOADS; load++) { // unroll
      for (var i = 0u; i < KEYS; i++) { // unroll
        let columns = keys_at(at_key[i], load);
        for (var each = 0u; each < WIDE; each++) { // unroll
          const word = load * WIDE + each;
          let column = columns[each];
          for (var r = 0u; r < ROWS; r++) { // unroll
            let row = query[r * HEAD_WORDS + word];
            score[r * KEYS + i] = fma(row.x, column.x, fma(row.y, column.y, fma(row.z, column.z, fma(row.w, column.w, score[r * KEYS + i]))));
          }
        }
      }
    }

    var rescale: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) { // unroll
      var peak = highest[r];
      for (var i = 0u; i < KEYS; i++) { // unroll
        let seen = tile + i < stop && tile + i <= position[r] && tile + i + shape.window > position[r];
        score[r * KEYS + i] = select(MASKED, score[r * KEYS + i], seen);
        peak = max(peak, score[r * KEYS + i]);
      }
      rescale[r] = exp(highest[r] - peak);
      highest[r] = peak;
      total[r] *= rescale[r];
      for (var i = 0u; i < KEYS; i++) { // unroll
        score[r * KEYS + i] = select(0.0, exp(score[r * KEYS + i] - peak), score[r * KEYS + i] > MASKED);
        total[r] += score[r * KEYS + i];
      }
    }

    for (var load = 0u; load < LOADS; load++) { // unroll
      for (var each = 0u; each < WIDE; each++) { // unroll
        const word = load * WIDE + each;
        for (var r = 0u; r < ROWS; r++) { // unroll
          acc[r * HEAD_WORDS + word] *= rescale[r];
        }
      }
      for (var i = 0u; i < KEYS; i++) { // unroll
        let columns = values_at(at_key[i], load);
        for (var each = 0u; each < WIDE; each++) { // unroll
          const word = load * WIDE + each;
          for (var r = 0u; r < ROWS; r++) { // unroll
            acc[r * HEAD_WORDS + word] = fma(vec4f(score[r * KEYS + i]), columns[each], acc[r * HEAD_WORDS + word]);
          }
        }
      }
    }
  }

  for (var r = 0u; r < ROWS; r++) { // unroll
    if (first + r <= last) {
      for (var word = 0u; word < HEAD_WORDS; word++) { // unroll
        // A split may have no key to see.
        o[(at_row[r] * SPLITS + split) * HEAD_WORDS + word] = vec4<out>(acc[r * HEAD_WORDS + word] / select(1.0, total[r], total[r] > 0.0));
      }
      for (var once = 0u; once < PARTIAL; once++) { // unroll
        stats[at_row[r] * SPLITS + split] = vec4f(highest[r], total[r], 0.0, 0.0);
      }
    }
  }
}
