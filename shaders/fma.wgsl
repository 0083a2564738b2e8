// Probe: how fast is arithmetic alone?  Every invocation advances CHAINS independent vec4s by
// x = x · multiplier + addend, `steps` times. The coefficients come from memory, the start from the
// invocation's number and every chain ends in the output, so that no compiler can remove any of it. The
// multiplier turns out to be 1 and the addend ±1, which nobody can know before: x counts the steps, exactly,
// and a lost one shows.
//
// Prelude: elem, CHAINS (1 to 8), THREADS.

struct Shape { invocations: u32, chains: u32, steps: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> coefficients: array<vec4<elem>, 2>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4<elem>>;

fn start(invocation: u32, chain: u32) -> vec4<elem> {
  return vec4<elem>(elem((invocation * CHAINS + chain) % 64u));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let invocation = (group.y * grid.x + group.x) * THREADS + thread;
  if (invocation >= shape.invocations) { return; }
  // Coefficients are at most 1/2 in magnitude.
  let m = floor(abs(coefficients[0])) + 1;
  let a = 2 * floor(coefficients[1]) + 1;
  var x: array<vec4<elem>, CHAINS>;
  for (var c = 0u; c < CHAINS; c++) { // unroll
    x[c] = start(invocation, c);
  }
  // Eight steps per turn keep the loop's own cost small.
  for (var i = 0u; i < shape.steps; i += 8u) {
    for (var step = 0u; step < 8u; step++) { // unroll
      for (var c = 0u; c < CHAINS; c++) { // unroll
        x[c] = fma(x[c], m, a);
      }
    }
  }
  var sum = x[0];
  for (var c = 1u; c < CHAINS; c++) { // unroll
    sum += x[c];
  }
  sums[invocation] = sum;
}
