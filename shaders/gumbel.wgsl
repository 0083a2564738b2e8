// Logits plus noise: the largest of logit + temperature · g, with g drawn from Gumbel's distribution, is a sample of
// softmax(logits / temperature) (Maddison, Tarlow & Minka, arXiv 1411.0030).
//
// g = -log(e) with e = -log(1 - u). The noise of a token is number row · columns + column of stream seed + position, so
// that each step has its own without keeping any state; random.ts computes the same bits. Each thread takes one number.
//
// Logits come in blocks of `block` columns, block after block, each with all rows.
//
// Prelude: elem, THREADS.

struct Shape { rows: u32, columns: u32, block: u32, milliTemperature: u32, seed: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<elem>;
@group(0) @binding(2) var<storage, read> position: array<u32>;
@group(0) @binding(3) var<storage, read_write> noisy: array<f32>;

fn bits(stream: u32, index: u32) -> u32 {
  let state = index * 747796405u + stream * 2654435769u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let number = (group.y * grid.x + group.x) * THREADS + thread;
  let row = number / shape.columns;
  let column = number % shape.columns;
  if (row >= shape.rows) { return; }
  let stride = (shape.block + 3u) / 4u * 4u;
  let at = (column / shape.block * shape.rows + row) * stride + column % shape.block;

  // Between 0 and 1, neither included: 23 bits and a half are what f32 holds.
  let u = (f32(bits(shape.seed + position[0], number) >> 9u) + 0.5) / 8388608;
  // Near 0, where the largest noise comes from, log(1 - u) would lose all its digits.
  let small = u * (1 + u * (0.5 + u * (1.0 / 3 + u * 0.25)));
  let e = select(-log(1 - u), small, u < 0.01);
  noisy[at] = f32(logits[at]) - f32(shape.milliTemperature) * 1e-3 * log(e);
}
