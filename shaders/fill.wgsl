// Seeded random numbers that f16 and f32 both hold exactly: multiples of 1/4096 in [-1/2, 1/2).
// random.ts computes the same on the CPU (PCG-RXS-M-XS, O'Neill 2014;
// the golden ratio keeps the streams of neighbouring seeds apart).
//
// Prelude: elem, THREADS.

struct Shape { words: u32, seed: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> data: array<vec4<elem>>;

fn random(index: vec4u) -> vec4<elem> {
  let state = index * 747796405u + shape.seed * 2654435769u;
  let word = ((state >> ((state >> vec4u(28u)) + 4u)) ^ state) * 277803737u;
  return vec4<elem>(vec4f(((word >> vec4u(22u)) ^ word) >> vec4u(20u)) / 4096 - 0.5);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let stride = grid.x * grid.y * THREADS;
  for (var at = (group.y * grid.x + group.x) * THREADS + thread; at < shape.words; at += stride) {
    data[at] = random(at * 4u + vec4u(0, 1, 2, 3));
  }
}
