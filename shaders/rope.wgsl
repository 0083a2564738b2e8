// What lies between the projection to queries, keys and values and attention: the bias, the norm of each head where
// NORM is 1, the rotation by position (RoPE: Su et al., arXiv 2104.09864), and keys and values put into the cache.
//
//   qkv: (batch · queries, (heads + 2 · kvHeads) · headDim)      q: (batch · queries · heads, headDim)
//   bias: one row like those of qkv                               k, v: (batch · kvHeads · capacity, headDim)
//   or, in place of k and v, kv: (2 · batch · kvHeads · capacity, headDim), keys and behind them values, as whole numbers,
//   four in a word, and scales, a column for each block of 32: the largest of the block, which is 127 in kv
//   norms: weights of a head's norm, a row for queries and one for keys
//   angles: (capacity, headDim), for each position the cosines of half a head and then the sines
//   position: where the first query of every sequence stands
//
// The first half of a head is turned against the second (as GPT-NeoX has it): a thread takes two neighbours of each,
// UNITS of them a head, and a workgroup HEADS heads. Values are neither normed nor turned.
//
// Prelude: elem, neighbours (two of k or v), PLAIN and PACKED (1 and 0 where that is a vec2f, 0 and 1 where it is a u32 of
// two halves), FLOATS and QUANTISED (1 and 0 where there are k and v, 0 and 1 where there are kv and scales), SCALE_WORDS
// (the u32s of a row of scales), HEADS, UNITS = headDim / 4, NORM, and NANO_EPSILON of the norm.

struct Shape { batch: u32, queries: u32, heads: u32, kvHeads: u32, headDim: u32, capacity: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec2<elem>>;
@group(0) @binding(2) var<storage, read> bias: array<vec2<elem>>;
@group(0) @binding(3) var<storage, read> angles: array<vec2f>;
@group(0) @binding(4) var<storage, read> position: array<u32>;
@group(0) @binding(5) var<storage, read_write> q: array<vec2<elem>>;
@group(0) @binding(6) var<storage, read_write> k: array<neighbours>;
@group(0) @binding(7) var<storage, read_write> v: array<neighbours>;
@group(0) @binding(6) var<storage, read_write> kv: array<u32>;
@group(0) @binding(7) var<storage, read_write> scales: array<u32>;
@group(0) @binding(8) var<storage, read> norms: array<vec2<elem>>;

var<workgroup> squares: array<f32, HEADS * UNITS>;

// Heads as they are quantised.
var<workgroup> finished: array<vec2f, HEADS * UNITS * 2u>;

fn stored(pair: vec2f) -> neighbours {
  for (var once = 0u; once < PLAIN; once++) { // unroll
    return neighbours(pair);
  }
  for (var once = 0u; once < PACKED; once++) { // unroll
    return pack2x16float(pair);
  }
}

// The largest of the block that begins with this pair.
fn largest(first: u32) -> f32 {
  var top = vec2f();
  for (var i = first; i < first + 16u; i++) { top = max(top, abs(finished[i])); }
  return max(top.x, top.y);
}

@compute @workgroup_size(HEADS * UNITS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let tokens = shape.batch * shape.queries;
  let turned = shape.heads + shape.kvHeads;
  let heads = turned + shape.kvHeads;
  let number = (group.y * grid.x + group.x) * HEADS + thread / UNITS;
  let unit = thread % UNITS;
  let token = min(number / heads, tokens - 1u);
  let head = number % heads;

  let start = (token * heads + head) * 2u * UNITS + unit;
  let at_bias = head * 2u * UNITS + unit;
  var low = vec2f(qkv[start]) + vec2f(bias[at_bias]);
  var high = vec2f(qkv[start + UNITS]) + vec2f(bias[at_bias + UNITS]);

  for (var once = 0u; once < NORM; once++) { // unroll
    squares[thread] = dot(low, low) + dot(high, high);
    workgroupBarrier();
    var total = 0.0;
    for (var i = 0u; i < UNITS; i++) { total += squares[thread - unit + i]; }
    let scale = inverseSqrt(total / f32(shape.headDim) + f32(NANO_EPSILON) * 1e-9);
    if (head < turned) {
      let at_norm = select(2u * UNITS, 0u, head < shape.heads) + unit;
      low *= scale * vec2f(norms[at_norm]);
      high *= scale * vec2f(norms[at_norm + UNITS]);
    }
  }

  let at_position = position[0] + token % shape.queries;
  let cosine = angles[at_position * 2u * UNITS + unit];
  let sine = angles[at_position * 2u * UNITS + UNITS + unit];
  let turned_low = low * cosine - high * sine;
  let turned_high = high * cosine + low * sine;

  let own = 2u * (thread - unit);
  for (var once = 0u; once < QUANTISED; once++) { // unroll
    finished[own + unit] = select(low, turned_low, head < turned);
    finished[own + UNITS + unit] = select(high, turned_high, head < turned);
    workgroupBarrier();
  }
  if (number >= tokens * heads) { return; }

  if (head < shape.heads) {
    let at = (token * shape.heads + head) * 2u * UNITS + unit;
    q[at] = vec2<elem>(turned_low);
    q[at + UNITS] = vec2<elem>(turned_high);
  } else {
    let kv_head = (head - shape.heads) % shape.kvHeads;
    let row = (token / shape.queries * shape.kvHeads + kv_head) * shape.capacity + at_position;
    for (var once = 0u; once < FLOATS; once++) { // unroll
      let at = row * 2u * UNITS + unit;
      if (head < turned) {
        k[at] = stored(turned_low);
        k[at + UNITS] = stored(turned_high);
      } else {
        v[at] = stored(low);
        v[at + UNITS] = stored(high);
      }
    }
    for (var once = 0u; once < QUANTISED; once++) { // unroll
      // A thread makes one word: it takes other numbers than those it has turned.
      let place = row + select(shape.batch * shape.kvHeads * shape.capacity, 0u, head < turned);
      let top = largest(own + unit / 8u * 16u);
      let four = vec4f(finished[own + 2u * unit], finished[own + 2u * unit + 1u]);
      kv[place * UNITS + unit] = pack4x8snorm(four / max(top, 1e-30));
      // Two scales share a word.
      if (unit % 16u == 0u) {
        var next = 0.0;
        if (unit + 8u < UNITS) { next = largest(own + 2u * unit + 16u); }
        scales[place * SCALE_WORDS + unit / 16u] = pack2x16float(vec2f(top, next));
      }
    }
  }
}
