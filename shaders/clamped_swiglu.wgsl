// The activation of gpt-oss's experts: y = (up + 1) ∘ gate ∘ σ(1.702 · gate), where gate and up have their expert's bias
// added and are then held within a limit, the gate from above only.  A row of `gated` is the gate's columns and after them
// the other's, and so is a row of `bias`, of which each expert has one; `ids` says which, (tokens, chosen). gated is
// (tokens · chosen, 2 · columns), y is (tokens · chosen, columns). Each thread takes one vec4.
//
// Prelude: elem, THREADS.

struct Shape { tokens: u32, chosen: u32, experts: u32, columns: u32, milliLimit: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> gated: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<elem>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<elem>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = shape.columns / 4u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  let pair = at / words;
  if (pair >= shape.tokens * shape.chosen) { return; }
  let stride = (shape.chosen + 3u) / 4u * 4u;
  let expert = ids[pair / shape.chosen * stride + pair % shape.chosen];
  let start = pair * 2u * words + at % words;
  let start_bias = expert * 2u * words + at % words;
  let limit = vec4f(f32(shape.milliLimit) * 1e-3);
  let gate = min(vec4f(gated[start]) + vec4f(bias[start_bias]), limit);
  let up = clamp(vec4f(gated[start + words]) + vec4f(bias[start_bias + words]), -limit, limit);
  // e^80 is not yet infinite.
  y[at] = vec4<elem>((up + 1) * gate / (1 + exp(min(-1.702 * gate, vec4f(80)))));
}
