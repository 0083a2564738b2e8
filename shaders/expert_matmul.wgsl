// Y = X · Wᵀ for many tokens, each times the matrices of its own experts: rows are gathered expert by expert and
// multiplied in tiles of one expert each, and every row of a tile is written where its pair of token and expert stands.
//
//   X: (pairs / sharing, K)       Y: (pairs, N)       W: (held · N, K), expert after expert, rows padded to whole vec4s
//   order, offsets: pairs expert by expert, as expert_group.wgsl leaves them
//
// A workgroup takes TILE_M rows of one expert and TILE_N columns, and copies 32 numbers of each of its rows into
// workgroup memory at a time, those of W unpacked and scaled where they are whole numbers. How many tiles an expert has
// is known on the GPU only: the tiles of expert e begin at number offsets[e] / TILE_M + e, which leaves enough for those
// before it, and workgroups between them have nothing to do. Pairs of experts that are not held here are left alone.
//
// Prelude: elem, weight (a word of W: vec4<elem>, or vec4u), FLOATS and QUANTS (1 and 0, or 0 and 1 where W is whole
// numbers), BITS (4 or 8), GROUP_M, GROUP_N, THREAD_M, THREAD_N (a multiple of 4); derived from BITS WORDS = BITS / 4,
// the vec4us of a block, and FOURS = 32 / BITS, the vec4s that one of them unpacks to.

struct Shape { tokens: u32, chosen: u32, sharing: u32, experts: u32, held: u32, until: u32, woken: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> offsets: array<u32>;
@group(0) @binding(4) var<storage, read> w: array<weight>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<elem>>;
// Two f16 in each u32.
@group(0) @binding(6) var<storage, read> scales: array<u32>;

const THREADS = GROUP_M * GROUP_N;
const TILE_M = GROUP_M * THREAD_M;
const TILE_N = GROUP_N * THREAD_N;
// Eight vec4s make a block; one of padding keeps neighbouring rows in different banks.
const STRIDE = 9u;

var<workgroup> stage_x: array<vec4f, TILE_M * STRIDE>;
var<workgroup> stage_w: array<vec4f, TILE_N * STRIDE>;

// The number of the first tile of an expert.
fn first_tile(expert: u32) -> u32 {
  return offsets[expert] / TILE_M + expert;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let tiles_m = shape.tokens * shape.chosen / TILE_M + shape.held;
  let index = group.y * grid.x + group.x;
  let col = index / tiles_m * TILE_N;
  if (col >= shape.N) { return; }
  var expert = shape.until - shape.held;
  let tile = first_tile(expert) + index % tiles_m;
  var beyond = shape.until;
  while (beyond - expert > 1u) {
    let middle = (expert + beyond) / 2u;
    if (first_tile(middle) <= tile) { expert = middle; } else { beyond = middle; }
  }
  let row = offsets[expert] + (tile - first_tile(expert)) * TILE_M;
  let end = offsets[expert + 1u];
  if (row >= end) { return; }

  let words_k = (shape.K + 3u) / 4u;
  let blocks = (words_k + 7u) / 8u;
  let scales_stride = (blocks + 3u) / 4u * 4u;
  let matrix = (expert - (shape.until - shape.held)) * shape.N;
  let thread_m = thread / GROUP_N * THREAD_M;
  let thread_n = thread % GROUP_N * THREAD_N;
  var acc: array<array<f32, THREAD_N>, THREAD_M>;

  for (var block = 0u; block < blocks; block++) {
    workgroupBarrier();
    for (var i = thread; i < TILE_M * 8u; i += THREADS) {
      let at = block * 8u + i % 8u;
      let source = order[min(row + i / 8u, end - 1u)] / shape.sharing;
      stage_x[i / 8u * STRIDE + i % 8u] = select(vec4f(), vec4f(x[source * words_k + at]), at < words_k);
    }
    for (var once = 0u; once < FLOATS; once++) { // unroll
      for (var i = thread; i < TILE_N * 8u; i += THREADS) {
        let at = block * 8u + i % 8u;
        let n = matrix + min(col + i / 8u, shape.N - 1u);
        stage_w[i / 8u * STRIDE + i % 8u] = select(vec4f(), vec4f(w[n * words_k + at]), at < words_k);
      }
    }
    for (var once = 0u; once < QUANTS; once++) { // unroll
      for (var i = thread; i < TILE_N * WORDS; i += THREADS) {
        let n = matrix + min(col + i / WORDS, shape.N - 1u);
        let at = n * scales_stride + block;
        let scale = unpack2x16float(scales[at / 2u])[at % 2u];
        let word = w[(n * blocks + block) * WORDS + i % WORDS];
        for (var four = 0u; four < FOURS; four++) { // unroll
          stage_w[i / WORDS * STRIDE + i % WORDS * FOURS + four] =
            scale * vec4f(vec4i(word << vec4u(32u - BITS - BITS * four)) >> vec4u(32u - BITS));
        }
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < 8u; k++) {
      var left: array<vec4f, THREAD_M>;
      for (var m = 0u; m < THREAD_M; m++) { // unroll
        left[m] = stage_x[(thread_m + m) * STRIDE + k];
      }
      for (var n = 0u; n < THREAD_N; n++) { // unroll
        let right = stage_w[(thread_n + n) * STRIDE + k];
        for (var m = 0u; m < THREAD_M; m++) { // unroll
          acc[m][n] = fma(left[m].x, right.x, fma(left[m].y, right.y, fma(left[m].z, right.z, fma(left[m].w, right.w, acc[m][n]))));
        }
      }
    }
  }

  let words_n = (shape.N + 3u) / 4u;
  for (var m = 0u; m < THREAD_M; m++) { // unroll
    let pair = order[min(row + thread_m + m, end - 1u)];
    for (var n = 0u; n < THREAD_N; n += 4u) { // unroll
      let word = (col + thread_n + n) / 4u;
      if (row + thread_m + m < end && word < words_n) {
        y[pair * words_n + word] = vec4<elem>(vec4f(acc[m][n], acc[m][n + 1u], acc[m][n + 2u], acc[m][n + 3u]));
      }
    }
  }
}
