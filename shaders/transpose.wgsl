// An operand of matmul_nn or matmul_tn as matmul wants it: B of (K, N) as (N, K), or A of (K, M) as (M, K) where OF_A is 1;
// rows padded to whole vec4s, with zeros where they are written. A thread turns four rows of a vec4 each, 8 × 8 threads a
// workgroup.
//
// Prelude: OF_A.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> given: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> turned: array<vec4f>;

const SIDE = 8u;

@compute @workgroup_size(SIDE * SIDE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let columns = select(shape.N, shape.M, OF_A == 1u);
  let words = (columns + 3u) / 4u;
  let fours = (shape.K + 3u) / 4u;
  let blocks = (fours + SIDE - 1u) / SIDE;
  let index = group.y * grid.x + group.x;
  let four = index % blocks * SIDE + thread % SIDE;
  let word = index / blocks * SIDE + thread / SIDE;
  if (four >= fours || word >= words) { return; }
  var rows: array<vec4f, 4>;
  for (var i = 0u; i < 4; i++) { // unroll
    if (4u * four + i < shape.K) { rows[i] = given[(4u * four + i) * words + word]; }
  }
  for (var i = 0u; i < 4; i++) { // unroll
    if (4u * word + i < columns) {
      turned[(4u * word + i) * fours + four] = vec4f(rows[0][i], rows[1][i], rows[2][i], rows[3][i]);
    }
  }
}
