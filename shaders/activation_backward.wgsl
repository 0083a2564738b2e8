// The gradient of activation.wgsl's SwiGLU, y = SiLU(gate) ∘ up, by the gate and by the other projection, side by side as
// they came.  With σ = 1 / (1 + e^-gate):  d_gate = dy ∘ up ∘ σ ∘ (1 + gate ∘ (1 - σ)),  d_up = dy ∘ gate ∘ σ.
// gated and d_gated are (rows, 2 · columns), dy is (rows, columns). Each thread takes one vec4 of dy.
//
// Prelude: THREADS.

struct Shape { rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> gated: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> d_gated: array<vec4f>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = shape.columns / 4u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  let row = at / words;
  if (row >= shape.rows) { return; }
  let at_gate = row * 2u * words + at % words;
  let gate = gated[at_gate];
  let up = gated[at_gate + words];
  let given = dy[at];
  // e^80 is not yet infinite.
  let open = 1 / (1 + exp(min(-gate, vec4f(80))));
  d_gated[at_gate] = given * up * open * (1 + gate * (1 - open));
  d_gated[at_gate + words] = given * gate * open;
}
