// The gradient of rope.wgsl by its projection: gradients by queries and keys are turned back, by minus the angle, and put
// beside those by values, as the projection has them.
//
//   dq: (batch · tokens · heads, headDim)      dk, dv: (batch · kvHeads · tokens, headDim)
//   angles: (tokens, headDim), for each position the cosines of half a head and then the sines
//   d_qkv: (batch · tokens, (heads + 2 · kvHeads) · headDim)
//
// Each thread takes two neighbours of the first half of a head and of the second.
//
// Prelude: THREADS.

struct Shape { batch: u32, tokens: u32, heads: u32, kvHeads: u32, headDim: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> dq: array<vec2f>;
@group(0) @binding(2) var<storage, read> dk: array<vec2f>;
@group(0) @binding(3) var<storage, read> dv: array<vec2f>;
@group(0) @binding(4) var<storage, read> angles: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> d_qkv: array<vec2f>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let units = shape.headDim / 4u;
  let turned = shape.heads + shape.kvHeads;
  let heads = turned + shape.kvHeads;
  let number = (group.y * grid.x + group.x) * THREADS + thread;
  let unit = number % units;
  let head = number / units % heads;
  let token = number / units / heads;
  if (token >= shape.batch * shape.tokens) { return; }
  let position = token % shape.tokens;
  let kv_head = (head - min(head, shape.heads)) % shape.kvHeads;
  let at_cache = ((token / shape.tokens * shape.kvHeads + kv_head) * shape.tokens + position) * 2u * units + unit;

  var low: vec2f;
  var high: vec2f;
  if (head < shape.heads) {
    let at = (token * shape.heads + head) * 2u * units + unit;
    low = dq[at];
    high = dq[at + units];
  } else if (head < turned) {
    low = dk[at_cache];
    high = dk[at_cache + units];
  } else {
    low = dv[at_cache];
    high = dv[at_cache + units];
  }
  let cosine = angles[position * 2u * units + unit];
  let sine = angles[position * 2u * units + units + unit];
  let start = (token * heads + head) * 2u * units + unit;
  d_qkv[start] = select(low, low * cosine + high * sine, head < turned);
  d_qkv[start + units] = select(high, high * cosine - low * sine, head < turned);
}
