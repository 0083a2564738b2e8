// Seeded random memory. Floats are multiples of 1/4096 in [-1/2, 1/2), which f16 and f32 both hold exactly, divided
// by a power of two; whole numbers of four or eight bits are random bits. random.ts computes the same on the CPU (PCG-RXS-M-XS,
// O'Neill 2014; the golden ratio keeps the streams of neighbouring seeds apart).
//
// Prelude: THREADS, WRITES: 0 for f32, 1 for f16 (two in each u32: no need for the type itself), 2 for bits.

struct Shape { words: u32, seed: u32, shrink: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> data: array<vec4u>;

fn bits(index: vec4u) -> vec4u {
  let state = index * 747796405u + shape.seed * 2654435769u;
  let word = ((state >> ((state >> vec4u(28u)) + 4u)) ^ state) * 277803737u;
  return (word >> vec4u(22u)) ^ word;
}

fn random(index: vec4u) -> vec4f { return (vec4f(bits(index) >> vec4u(20u)) / 4096 - 0.5) / f32(shape.shrink); }

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let stride = grid.x * grid.y * THREADS;
  let four = vec4u(0, 1, 2, 3);
  for (var at = (group.y * grid.x + group.x) * THREADS + thread; at < shape.words; at += stride) {
    if (WRITES == 0u) {
      data[at] = bitcast<vec4u>(random(at * 4u + four));
    } else if (WRITES == 1u) {
      let low = random(at * 8u + four);
      let high = random(at * 8u + 4u + four);
      data[at] = vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
    } else {
      data[at] = bits(at * 4u + four);
    }
  }
}
