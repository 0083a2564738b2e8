// Rows of an embedding table by their numbers, like embed.wgsl, where the table is whole numbers in blocks of 32 with
// a scale per block: four neighbours are unpacked with one shift (see elements.ts).
//
// Prelude: elem, THREADS, SCALED as there, BITS (4 or 8).

struct Shape { tokens: u32, vocab: u32, hidden: u32, piece: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
// Two f16 in each u32.
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<elem>>;

const FOURS = 32u / BITS;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = shape.hidden / 4u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  let token = at / words;
  if (token >= shape.tokens) { return; }
  let id = ids[token];
  let first = (shape.piece - 1u) * shape.vocab;
  // Below the first this wraps around, and is large as well.
  if (id - first >= shape.vocab) { return; }
  let four = (id - first) * words + at % words;
  let quants = vec4i(table[four / FOURS] << vec4u(32u - BITS - BITS * (four % FOURS))) >> vec4u(32u - BITS);
  let blocks = shape.hidden / 32u;
  let scale_at = (id - first) * ((blocks + 3u) / 4u * 4u) + at % words / 8u;
  let scale = unpack2x16float(scales[scale_at / 2u] >> (16u * (scale_at % 2u))).x;
  var word = vec4f(quants) * scale;
  for (var once = 0u; once < SCALED; once++) { // unroll
    word *= sqrt(f32(shape.hidden));
  }
  out[at] = vec4<elem>(word);
}
