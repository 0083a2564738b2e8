// y = SiLU(gate) ∘ up, where a row of `gated` is the gate's columns and after them the other projection's.
// y is (rows, columns), gated is (rows, 2 · columns). Each thread takes one vec4.
//
// Prelude: elem, THREADS.

struct Shape { rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> gated: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<elem>>;

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
  let gate = vec4f(gated[row * 2u * words + at % words]);
  let up = vec4f(gated[row * 2u * words + words + at % words]);
  // e^80 is not yet infinite.
  y[at] = vec4<elem>(gate / (1 + exp(min(-gate, vec4f(80)))) * up);
}
