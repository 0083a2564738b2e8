// What a token's experts give, weighted and added up: out[t] = Σ weights[t, j] · y[t, j].  y is (tokens · chosen, columns),
// weights is (tokens, chosen), out is (tokens, columns), rows padded to whole vec4s. Where BIASED is 1 each expert adds a
// bias of its own first, the row of `bias` that `ids` names. Each thread makes one vec4.
//
// Prelude: elem, THREADS, BIASED.

struct Shape { tokens: u32, chosen: u32, columns: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> y: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<elem>>;
@group(0) @binding(4) var<storage, read> ids: array<u32>;
@group(0) @binding(5) var<storage, read> bias: array<vec4<elem>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = (shape.columns + 3u) / 4u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  let token = at / words;
  if (token >= shape.tokens) { return; }
  let stride = (shape.chosen + 3u) / 4u * 4u;
  var sum = vec4f();
  for (var slot = 0u; slot < shape.chosen; slot++) {
    var word = vec4f(y[(token * shape.chosen + slot) * words + at % words]);
    for (var once = 0u; once < BIASED; once++) { // unroll
      word += vec4f(bias[ids[token * stride + slot] * words + at % words]);
    }
    sum = fma(vec4f(weights[token * stride + slot]), word, sum);
  }
  out[at] = vec4<elem>(sum);
}
