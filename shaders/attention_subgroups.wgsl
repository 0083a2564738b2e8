// O = softmax(Q·Kᵀ / √headDim) · V like attention.wgsl, for subgroups of a known size, without workgroup memory and
// barriers, and with the keys divided into SPLITS (Dao, Haziza, Massa & Sizov, "Flash-Decoding", 2023).
//
// A subgroup takes ROWS rows of one key/value head and one split of their keys. It goes over its keys KEYS · SUBGROUP
// at a time. For the scores each lane takes KEYS keys and all rows: the rows' words lie spread over the lanes, which
// hand them to each other. For the sums each lane takes some words of the output and all rows, and is handed the
// weights: every element of K and V is loaded once. Where a head has fewer words than the subgroup lanes, KEY_LANES
// groups of WORD_LANES lanes share the keys of this second part.
//
// With more than one split, O is what attention_merge.wgsl makes of the splits' own results and `stats`, the highest
// score and the sum of the weights of each: row by row, split by split.
//
// Prelude: elem, kv, out, PLAIN, PACKED, QUANTISED, FLOATS, WIDE, LOADS and SCALE_WORDS as there, HEAD_WORDS, SUBGROUP (lanes), SUBGROUPS (of a workgroup), ROWS,
// KEYS (of a lane), SPLITS, PARTIAL (1 where there are several splits, else 0); derived from these
// QUERY_WORDS = ⌈HEAD_WORDS / SUBGROUP⌉, WORD_LANES, KEY_LANES = SUBGROUP / WORD_LANES, KEY_STEPS = log2(KEY_LANES),
// WORDS = ⌈HEAD_WORDS / WORD_LANES⌉, and of the two ways to hand over weights one with its bound and one with zero:
// BROADCAST = WORD_LANES where KEY_LANES is 1, SHUFFLE = WORD_LANES where it is not.

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

// What is called uniform here is so in each subgroup, which takes one piece of the work.
@diagnostic(off, subgroup_uniformity)
@compute @workgroup_size(SUBGROUP * SUBGROUPS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let sharing = shape.heads / shape.kvHeads;
  let rows = shape.queries * sharing;
  let tiles = (rows + ROWS - 1u) / ROWS;
  let unit = (group.y * grid.x + group.x) * SUBGROUPS + thread / SUBGROUP;
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
  var query: array<vec4f, ROWS * QUERY_WORDS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    let row = min(first + r, last);
    position[r] = past + row / sharing;
    at_row[r] = (sequence * shape.queries + row / sharing) * shape.heads + kv_head * sharing + row % sharing;
    for (var i = 0u; i < QUERY_WORDS; i++) { // unroll
      let word = min(i * SUBGROUP + lane, HEAD_WORDS - 1u);
      query[r * QUERY_WORDS + i] = vec4f(q[at_row[r] * HEAD_WORDS + word]) * inverseSqrt(f32(shape.headDim));
    }
  }

  var acc = array<vec4f, ROWS * WORDS>();
  var total = array<f32, ROWS>();
  var highest: array<f32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    highest[r] = MASKED;
  }

  for (var tile = begin + split * share; tile < stop; tile += KEYS * SUBGROUP) {
    // Scores, and then weights, of this lane's keys.
    var score = array<f32, ROWS * KEYS>();
    var at_key: array<u32, KEYS>;
    for (var i = 0u; i < KEYS; i++) { // unroll
      at_key[i] = cache + min(tile + i * SUBGROUP + lane, stop - 1u) * HEAD_WORDS;
    }
    for (var load = 0u; load < LOADS; load++) { // unroll
      var columns: array<array<vec4f, WIDE>, KEYS>;
      for (var i = 0u; i < KEYS; i++) { // unroll
        columns[i] = keys_at(at_key[i], load);
      }
      for (var each = 0u; each < WIDE; each++) { // unroll
        const word = load * WIDE + each;
        for (var r = 0u; r < ROWS; r++) { // unroll
          let row = subgroupBroadcast(query[r * QUERY_WORDS + word / SUBGROUP], word % SUBGROUP);
          for (var i = 0u; i < KEYS; i++) { // unroll
            let column = columns[i][each];
            score[r * KEYS + i] = fma(row.x, column.x, fma(row.y, column.y, fma(row.z, column.z, fma(row.w, column.w, score[r * KEYS + i]))));
          }
        }
      }
    }

    for (var r = 0u; r < ROWS; r++) { // unroll
      var peak = highest[r];
      for (var i = 0u; i < KEYS; i++) { // unroll
        let key = tile + i * SUBGROUP + lane;
        let seen = key < stop && key <= position[r] && key + shape.window > position[r];
        score[r * KEYS + i] = select(MASKED, score[r * KEYS + i], seen);
        peak = max(peak, score[r * KEYS + i]);
      }
      peak = subgroupMax(peak);
      let rescale = exp(highest[r] - peak);
      highest[r] = peak;
      total[r] *= rescale;
      for (var i = 0u; i < KEYS; i++) { // unroll
        score[r * KEYS + i] = select(0.0, exp(score[r * KEYS + i] - peak), score[r * KEYS + i] > MASKED);
        total[r] += score[r * KEYS + i];
      }
      for (var n = 0u; n < WORDS; n++) { // unroll
        acc[r * WORDS + n] *= rescale;
      }
    }

    for (var i = 0u; i < KEYS; i++) { // unroll
      for (var turn = 0u; turn < BROADCAST; turn++) { // unroll
        let at = cache + min(tile + i * SUBGROUP + turn, stop - 1u) * HEAD_WORDS;
        var column: array<vec4f, WORDS>;
        for (var n = 0u; n < WORDS; n++) { // unroll
          column[n] = value_at(at + min(lane + n * WORD_LANES, HEAD_WORDS - 1u));
        }
        for (var r = 0u; r < ROWS; r++) { // unroll
          let weight = vec4f(subgroupBroadcast(score[r * KEYS + i], turn));
          for (var n = 0u; n < WORDS; n++) { // unroll
            acc[r * WORDS + n] = fma(weight, column[n], acc[r * WORDS + n]);
          }
        }
      }
      for (var turn = 0u; turn < SHUFFLE; turn++) { // unroll
        let owner = turn * KEY_LANES + lane / WORD_LANES;
        let at = cache + min(tile + i * SUBGROUP + owner, stop - 1u) * HEAD_WORDS;
        var column: array<vec4f, WORDS>;
        for (var n = 0u; n < WORDS; n++) { // unroll
          column[n] = value_at(at + min(lane % WORD_LANES + n * WORD_LANES, HEAD_WORDS - 1u));
        }
        for (var r = 0u; r < ROWS; r++) { // unroll
          let weight = vec4f(subgroupShuffle(score[r * KEYS + i], owner));
          for (var n = 0u; n < WORDS; n++) { // unroll
            acc[r * WORDS + n] = fma(weight, column[n], acc[r * WORDS + n]);
          }
        }
      }
    }
  }

  for (var r = 0u; r < ROWS; r++) { // unroll
    total[r] = subgroupAdd(total[r]);
    for (var n = 0u; n < WORDS; n++) { // unroll
      for (var s = 0u; s < KEY_STEPS; s++) { // unroll
        acc[r * WORDS + n] += subgroupShuffleXor(acc[r * WORDS + n], WORD_LANES << s);
      }
      let word = lane % WORD_LANES + n * WORD_LANES;
      if (lane < WORD_LANES && word < HEAD_WORDS && first + r <= last) {
        // A split may have no key to see.
        o[(at_row[r] * SPLITS + split) * HEAD_WORDS + word] = vec4<out>(acc[r * WORDS + n] / select(1.0, total[r], total[r] > 0.0));
      }
    }
    for (var once = 0u; once < PARTIAL; once++) { // unroll
      if (lane == 0u && first + r <= last) { stats[at_row[r] * SPLITS + split] = vec4f(highest[r], total[r], 0.0, 0.0); }
    }
  }
}
