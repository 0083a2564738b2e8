// Probe: how fast is arithmetic alone?  Every invocation advances CHAINS independent vec4s by
// x = x · multiplier + addend, `steps` times. The coefficients come from memory, the start from the
// invocation's number and every chain ends in the output, so that no compiler can remove any of it.
//
// Prelude: elem, CHAINS (1 to 8), THREADS.

struct Shape { invocations: u32, chains: u32, steps: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> coefficients: array<vec4<elem>, 2>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4<elem>>;

fn start(invocation: u32, chain: u32) -> vec4<elem> {
  return vec4<elem>(elem((invocation * CHAINS + chain) % 64u) / 64);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let invocation = (group.y * grid.x + group.x) * THREADS + thread;
  if (invocation >= shape.invocations) { return; }
  // |multiplier| <= 7/8 keeps the values finite and rounding errors from adding up.
  let m = coefficients[0] * elem(1.75);
  let a = coefficients[1];
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
