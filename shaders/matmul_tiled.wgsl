// C = A · Bᵀ.  A is (M, K), B is (N, K), C is (M, N), row-major with rows padded to whole vec4s, so
// both operands are read along K: activations times weights as checkpoints store them.
//
// One thread computes a THREAD_M × THREAD_N patch of C in registers, one workgroup GROUP_M × GROUP_N
// patches. With STAGE_K > 0 the workgroup first copies that many vec4s of each of its rows into
// workgroup memory; with STAGE_K = 0 threads read memory themselves and rely on the caches.
// With BUFFERS = 2 there are two such copies by turns: threads that are done with one fill the other already, and one
// barrier per step is enough.
// Rows past the edge are read from the last row and not stored. With SPLIT > 1 that many workgroups share a
// tile, each sums its own part of K, and `c` holds their parts one after another.
//
// Prelude: elem, target_elem (elem, or f32 for parts), GROUP_M, GROUP_N, THREAD_M, THREAD_N (a multiple of 4),
// STAGE_K; derived from it STEP_K = max(STAGE_K, 1); BUFFERS (1 or 2), SPLIT.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<elem>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<target_elem>>;

const THREADS = GROUP_M * GROUP_N;
const TILE_M = GROUP_M * THREAD_M;
const TILE_N = GROUP_N * THREAD_N;
const STAGED = STAGE_K > 0u;
// One vec4 of padding per row keeps neighbouring rows in different banks.
const STAGE_STRIDE = select(0u, STAGE_K + 1u, STAGED);

var<workgroup> stage_a: array<vec4<elem>, max(BUFFERS * TILE_M * STAGE_STRIDE, 1u)>;
var<workgroup> stage_b: array<vec4<elem>, max(BUFFERS * TILE_N * STAGE_STRIDE, 1u)>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let tiles_m = (shape.M + TILE_M - 1u) / TILE_M;
  let tiles = tiles_m * ((shape.N + TILE_N - 1u) / TILE_N);
  let index = group.y * grid.x + group.x;
  let tile = index % tiles;
  let part = index / tiles;
  let row = (tile % tiles_m) * TILE_M;
  let col = (tile / tiles_m) * TILE_N;
  if (part >= SPLIT) { return; }
  let words_k = (shape.K + 3u) / 4u;
  let steps = (words_k + STEP_K - 1u) / STEP_K;
  let begin = steps * part / SPLIT * STEP_K;
  let end = min(steps * (part + 1u) / SPLIT * STEP_K, words_k);

  let thread_m = thread / GROUP_N * THREAD_M;
  let thread_n = thread % GROUP_N * THREAD_N;
  var at_a: array<u32, THREAD_M>;
  var at_b: array<u32, THREAD_N>;
  var acc: array<array<f32, THREAD_N>, THREAD_M>;
  for (var m = 0u; m < THREAD_M; m++) { // unroll
    at_a[m] = min(row + thread_m + m, shape.M - 1u) * words_k;
  }
  for (var n = 0u; n < THREAD_N; n++) { // unroll
    at_b[n] = min(col + thread_n + n, shape.N - 1u) * words_k;
  }

  for (var k = begin; k < end; k += STEP_K) {
    let slot = select(0u, (k - begin) / STEP_K % 2u, BUFFERS == 2u);
    if (STAGED) {
      if (BUFFERS == 1u) { workgroupBarrier(); }
      let slot_a = slot * TILE_M * STAGE_STRIDE;
      let slot_b = slot * TILE_N * STAGE_STRIDE;
      for (var i = thread; i < TILE_M * STEP_K; i += THREADS) {
        let at = k + i % STEP_K;
        var word = vec4<elem>();
        if (at < words_k) { word = a[min(row + i / STEP_K, shape.M - 1u) * words_k + at]; }
        stage_a[slot_a + i / STEP_K * STAGE_STRIDE + i % STEP_K] = word;
      }
      for (var i = thread; i < TILE_N * STEP_K; i += THREADS) {
        let at = k + i % STEP_K;
        var word = vec4<elem>();
        if (at < words_k) { word = b[min(col + i / STEP_K, shape.N - 1u) * words_k + at]; }
        stage_b[slot_b + i / STEP_K * STAGE_STRIDE + i % STEP_K] = word;
      }
      workgroupBarrier();
    }
    for (var i = 0u; i < STEP_K; i++) { // unroll
      var left: array<vec4f, THREAD_M>;
      for (var m = 0u; m < THREAD_M; m++) { // unroll
        if (STAGED) { left[m] = vec4f(stage_a[(slot * TILE_M + thread_m + m) * STAGE_STRIDE + i]); }
        else { left[m] = vec4f(a[at_a[m] + k]); }
      }
      for (var n = 0u; n < THREAD_N; n++) { // unroll
        var right: vec4f;
        if (STAGED) { right = vec4f(stage_b[(slot * TILE_N + thread_n + n) * STAGE_STRIDE + i]); }
        else { right = vec4f(b[at_b[n] + k]); }
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
        c[(part * shape.M + at.x) * words_n + at.y] = vec4<target_elem>(vec4f(acc[m][n], acc[m][n + 1u], acc[m][n + 2u], acc[m][n + 3u]));
      }
    }
  }
}
