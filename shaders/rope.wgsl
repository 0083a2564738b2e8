// What lies between the projection to queries, keys and values and attention: the bias, the norm of each head where
// NORM is 1, the rotation by position (RoPE: Su et al., arXiv 2104.09864), and keys and values put into the cache.
//
//   qkv: (batch · queries, (heads + 2 · kvHeads) · headDim)      q: (batch · queries · heads, headDim)
//   bias: one row like those of qkv                               k, v: (batch · kvHeads · capacity, headDim)
//   norms: weights of a head's norm, a row for queries and one for keys
//   angles: (capacity, headDim), for each position the cosines of half a head and then the sines
//   position: where the first query of every sequence stands
//
// The first half of a head is turned against the second (as GPT-NeoX has it): a thread takes two neighbours of each,
// UNITS of them a head, and a workgroup HEADS heads. Values are neither normed nor turned.
//
// Prelude: elem, kv (two neighbours in the cache), PLAIN and PACKED (1 and 0 where that is a vec2f, 0 and 1 where it is
// a u32 of two halves), HEADS, UNITS = headDim / 4, NORM, and NANO_EPSILON of the norm.

struct Shape { batch: u32, queries: u32, heads: u32, kvHeads: u32, headDim: u32, capacity: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec2<elem>>;
@group(0) @binding(2) var<storage, read> bias: array<vec2<elem>>;
@group(0) @binding(3) var<storage, read> angles: array<vec2f>;
@group(0) @binding(4) var<storage, read> position: array<u32>;
@group(0) @binding(5) var<storage, read_write> q: array<vec2<elem>>;
@group(0) @binding(6) var<storage, read_write> k: array<kv>;
@group(0) @binding(7) var<storage, read_write> v: array<kv>;
@group(0) @binding(8) var<storage, read> norms: array<vec2<elem>>;

var<workgroup> squares: array<f32, HEADS * UNITS>;

fn stored(pair: vec2f) -> kv {
  for (var once = 0u; once < PLAIN; once++) { // unroll
    return kv(pair);
  }
  for (var once = 0u; once < PACKED; once++) { // unroll
    return pack2x16float(pair);
  }
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

  if (number >= tokens * heads) { return; }
  let at_position = position[0] + token % shape.queries;
  let cosine = angles[at_position * 2u * UNITS + unit];
  let sine = angles[at_position * 2u * UNITS + UNITS + unit];
  let turned_low = low * cosine - high * sine;
  let turned_high = high * cosine + low * sine;

  if (head < shape.heads) {
    let at = (token * shape.heads + head) * 2u * UNITS + unit;
    q[at] = vec2<elem>(turned_low);
    q[at + UNITS] = vec2<elem>(turned_high);
  } else {
    let kv_head = (head - shape.heads) % shape.kvHeads;
    let row = (token / shape.queries * shape.kvHeads + kv_head) * shape.capacity + at_position;
    let at = row * 2u * UNITS + unit;
    if (head < turned) {
      k[at] = stored(turned_low);
      k[at + UNITS] = stored(turned_high);
    } else {
      v[at] = stored(low);
      v[at + UNITS] = stored(high);
    }
  }
}
