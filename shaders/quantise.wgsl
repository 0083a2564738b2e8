// Rounds X to whole numbers of eight bits, each block of 32 by its own scale: the largest becomes 127. One thread
// takes a block.
//
// Where they go in the block's two vec4us is what meets the weights' places (see elements.ts): the number k of a block
// is in component k % 4. Against eight bits it is byte k / 4 % 4 of vec4u k / 16; against four bits it is byte k / 8 of
// vec4u k / 4 % 2.
//
// Prelude: elem, THREADS, BITS (4 or 8: of the weights).

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read_write> quants: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> scales: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let blocks = shape.K / 32u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  if (at >= shape.M * blocks) { return; }

  var input: array<vec4f, 8>;
  var largest = vec4f();
  for (var i = 0u; i < 8u; i++) { // unroll
    input[i] = vec4f(x[at * 8u + i]);
    largest = max(largest, abs(input[i]));
  }
  let top = max(max(largest.x, largest.y), max(largest.z, largest.w));
  let scale = top / 127;
  let inverse = select(0.0, 127 / top, top > 0.0);

  var halves: array<vec4u, 2>;
  for (var i = 0u; i < 8u; i++) { // unroll
    let rounded = bitcast<vec4u>(vec4i(round(input[i] * inverse))) & vec4u(0xffu);
    if (BITS == 4u) {
      halves[i % 2u] |= rounded << vec4u(8u * (i / 2u));
    } else {
      halves[i / 4u] |= rounded << vec4u(8u * (i % 4u));
    }
  }
  quants[at * 2u] = halves[0];
  quants[at * 2u + 1u] = halves[1];
  scales[at / blocks * ((blocks + 3u) / 4u * 4u) + at % blocks] = scale;
}
