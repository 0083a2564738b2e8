// C = A · Bᵀ like matmul_tiled.wgsl, where B is whole numbers in blocks of 32 along K with a scale per block. A
// workgroup copies a block of each of its rows into workgroup memory, unpacked and scaled, and works from there.
//
// Prelude: elem, BITS (4 or 8), GROUP_M, GROUP_N, THREAD_M, THREAD_N (a multiple of 4); derived from BITS
// WORDS = BITS / 4, the vec4us of a block, and FOURS = 32 / BITS, the vec4s that one of them unpacks to.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
// Two f16 in each u32.
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read_write> c: array<vec4<elem>>;

const THREADS = GROUP_M * GROUP_N;
const TILE_M = GROUP_M * THREAD_M;
const TILE_N = GROUP_N * THREAD_N;
// Eight vec4s make a block; one of padding keeps neighbouring rows in different banks.
const STRIDE = 9u;

var<workgroup> stage_a: array<vec4f, TILE_M * STRIDE>;
var<workgroup> stage_b: array<vec4f, TILE_N * STRIDE>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let tiles_m = (shape.M + TILE_M - 1u) / TILE_M;
  let tile = group.y * grid.x + group.x;
  let row = (tile % tiles_m) * TILE_M;
  let col = (tile / tiles_m) * TILE_N;
  if (col >= shape.N) { return; }
  let blocks = shape.K / 32u;
  let scales_stride = (blocks + 3u) / 4u * 4u;
  let thread_m = thread / GROUP_N * THREAD_M;
  let thread_n = thread % GROUP_N * THREAD_N;
  var acc: array<array<f32, THREAD_N>, THREAD_M>;

  for (var block = 0u; block < blocks; block++) {
    workgroupBarrier();
    for (var i = thread; i < TILE_M * 8u; i += THREADS) {
      stage_a[i / 8u * STRIDE + i % 8u] = vec4f(a[min(row + i / 8u, shape.M - 1u) * blocks * 8u + block * 8u + i % 8u]);
    }
    for (var i = thread; i < TILE_N * WORDS; i += THREADS) {
      let n = min(col + i / WORDS, shape.N - 1u);
      let at = n * scales_stride + block;
      let scale = unpack2x16float(scales[at / 2u])[at % 2u];
      let word = b[(n * blocks + block) * WORDS + i % WORDS];
      for (var four = 0u; four < FOURS; four++) { // unroll
        stage_b[i / WORDS * STRIDE + i % WORDS * FOURS + four] =
          scale * vec4f(vec4i(word << vec4u(32u - BITS - BITS * four)) >> vec4u(32u - BITS));
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < 8u; k++) {
      var left: array<vec4f, THREAD_M>;
      for (var m = 0u; m < THREAD_M; m++) { // unroll
        left[m] = stage_a[(thread_m + m) * STRIDE + k];
      }
      for (var n = 0u; n < THREAD_N; n++) { // unroll
        let right = stage_b[(thread_n + n) * STRIDE + k];
        for (var m = 0u; m < THREAD_M; m++) { // unroll
          acc[m][n] = fma(left[m].x, right.x, fma(left[m].y, right.y, fma(left[m].z, right.z, fma(left[m].w, right.w, acc[m][n]))));
        }
      }
    }
  }

  let words_n = (shape.N + 3u) / 4u;
  for (var m = 0u; m < THREAD_M; m++) { // unroll
    for (var n = 0u; n < THREAD_N; n += 4u) { // unroll
      let at = vec2u(row + thread_m + m, (col + thread_n + n) / 4u);
      if (at.x < shape.M && at.y < words_n) {
        c[at.x * words_n + at.y] = vec4<elem>(vec4f(acc[m][n], acc[m][n + 1u], acc[m][n + 2u], acc[m][n + 3u]));
      }
    }
  }
}
