// y = SiLU(gate) ∘ up, or GELU(gate) ∘ up where GELU is 1, where a row of `gated` is the gate's columns and after them
// the other projection's.  y is (rows, columns), gated is (rows, 2 · columns). Each thread takes one vec4.
//
// SiLU(x) = x / (1 + e^-x). GELU by its tanh (Hendrycks & Gimpel, arXiv 1606.08415) is x / (1 + e^-2u) with
// u = √(2/π) · (x + 0.044715 x³), for (1 + tanh u) / 2 = 1 / (1 + e^-2u).
//
// Prelude: elem, THREADS, GELU.

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
  var steep = gate;
  for (var once = 0u; once < GELU; once++) { // unroll
    steep = 1.5957691216 * (gate + 0.044715 * gate * gate * gate);
  }
  // e^80 is not yet infinite.
  y[at] = vec4<elem>(gate / (1 + exp(min(-steep, vec4f(80)))) * up);
}
