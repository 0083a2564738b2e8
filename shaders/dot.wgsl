// Probe: how fast are products of four bytes at once?  Every invocation advances CHAINS independent numbers by
// x = dot4I8Packed(x, factors) + addend, `steps` times: each step needs the one before, and which bytes it multiplies
// no compiler can know. Factors and addend come from memory, the start from the invocation's number, and every chain
// ends in the output, so that nothing can be removed. The numbers are scrambled on the way: a lost step shows.
//
// Prelude: elem (f32), CHAINS (1 to 16), THREADS.

struct Shape { invocations: u32, chains: u32, steps: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> coefficients: array<elem, 2>;
@group(0) @binding(2) var<storage, read_write> sums: array<elem>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let invocation = (group.y * grid.x + group.x) * THREADS + thread;
  if (invocation >= shape.invocations) { return; }
  let factors = bitcast<u32>(coefficients[0]);
  let addend = bitcast<i32>(coefficients[1]);
  var x: array<i32, CHAINS>;
  for (var c = 0u; c < CHAINS; c++) { // unroll
    x[c] = i32(invocation * CHAINS + c);
  }
  // Eight steps per turn keep the loop's own cost small.
  for (var i = 0u; i < shape.steps; i += 8u) {
    for (var step = 0u; step < 8u; step++) { // unroll
      for (var c = 0u; c < CHAINS; c++) { // unroll
        x[c] = dot4I8Packed(bitcast<u32>(x[c]), factors) + addend;
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
