// Probe: how fast are products of four bytes at once?  Every invocation advances CHAINS independent numbers by
// x = x + dot4I8Packed(x, factors), `steps` times: each step needs the one before. Factors come from memory, the start
// from the invocation's number, and every chain ends in the output, so that no compiler can remove any of it. The
// numbers wander through all of 32 bits, exactly: a lost step shows.
//
// Prelude: elem (f32), CHAINS (1 to 16), THREADS.

struct Shape { invocations: u32, chains: u32, steps: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> coefficients: array<vec4<elem>, 1>;
@group(0) @binding(2) var<storage, read_write> sums: array<elem>;

// Odd, so that no two starts are alike.
const SPREAD = 0x9e3779b1u;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let invocation = (group.y * grid.x + group.x) * THREADS + thread;
  if (invocation >= shape.invocations) { return; }
  // Coefficients are at most 1/2 in magnitude, factors odd and at most 127.
  let factors = pack4xI8(2 * vec4i(floor(127 * coefficients[0])) + 1);
  var x: array<i32, CHAINS>;
  for (var c = 0u; c < CHAINS; c++) { // unroll
    x[c] = i32((invocation * CHAINS + c) * SPREAD + 1u);
  }
  // Eight steps per turn keep the loop's own cost small.
  for (var i = 0u; i < shape.steps; i += 8u) {
    for (var step = 0u; step < 8u; step++) { // unroll
      for (var c = 0u; c < CHAINS; c++) { // unroll
        x[c] += dot4I8Packed(bitcast<u32>(x[c]), factors);
      }
    }
  }
  var sum = x[0];
  for (var c = 1u; c < CHAINS; c++) { // unroll
    sum += x[c];
  }
  // As many bits as f32 holds exactly.
  sums[invocation] = elem(sum & 0xffffff);
}
