// C = A · B, or Aᵀ · B where TURNED is 1: what a training step multiplies backwards, dX = dY · W and dW = dYᵀ · X, of
// tensors as the forward pass has left them.  B is (K, N), C is (M, N), A is (M, K), or (K, M) where it is turned;
// row-major with rows padded to whole vec4s. Along K what pads A has to be zero.
//
// One thread computes THREAD_M rows of C by THREAD_N / 4 vec4s in registers, one workgroup GROUP_M × GROUP_N times that:
// neighbouring threads have neighbouring vec4s, and each its next one GROUP_N further. K is taken in fours. With STAGE_K > 0 the workgroup first copies that many fours of both tiles into workgroup
// memory; with STAGE_K = 0 threads read memory themselves and rely on the caches. Past the edge the last rows and words
// are read and nothing is stored. With SPLIT > 1 that many workgroups share a tile, each sums its own part of K, and `c`
// holds their parts one after another.
//
// Prelude: GROUP_M, GROUP_N, THREAD_M, THREAD_N (a multiple of 4), STAGE_K, SPLIT, PLAIN and TURNED (1 and 0, or 0 and
// 1: then THREAD_M is a multiple of 4 as well); derived from these STEP_K = max(STAGE_K, 1), FOURS_M = THREAD_M / 4
// where A is turned, FOURS_N = THREAD_N / 4.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;

const THREADS = GROUP_M * GROUP_N;
const TILE_M = GROUP_M * THREAD_M;
const TILE_N = GROUP_N * THREAD_N;
const WORDS_M = TILE_M / 4u;
const WORDS_N = TILE_N / 4u;
const STAGED = STAGE_K > 0u;
// One vec4 of padding per row keeps neighbouring rows in different banks.
const STRIDE_A = STAGE_K + 1u;

var<workgroup> stage_a: array<vec4f, select(1u, TILE_M * STRIDE_A, STAGED)>;
var<workgroup> stage_b: array<vec4f, max(4u * STAGE_K * WORDS_N, 1u)>;

// Four numbers along K of a row of A that is not turned.
fn along_k(row: u32, four: u32) -> vec4f {
  let words_k = (shape.K + 3u) / 4u;
  return select(vec4f(), a[min(row, shape.M - 1u) * words_k + min(four, words_k - 1u)], four < words_k);
}

// Four numbers along M of row k of a turned A.
fn along_m(k: u32, word: u32) -> vec4f {
  let words_m = (shape.M + 3u) / 4u;
  return select(vec4f(), a[min(k, shape.K - 1u) * words_m + min(word, words_m - 1u)], k < shape.K);
}

fn along_n(k: u32, word: u32) -> vec4f {
  let words_n = (shape.N + 3u) / 4u;
  return b[min(k, shape.K - 1u) * words_n + min(word, words_n - 1u)];
}

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
  let fours = (shape.K + 3u) / 4u;
  let steps = (fours + STEP_K - 1u) / STEP_K;
  let begin = steps * part / SPLIT * STEP_K;
  let end = min(steps * (part + 1u) / SPLIT * STEP_K, fours);

  let thread_m = thread / GROUP_N * THREAD_M;
  let thread_n = thread % GROUP_N;
  let words_n = (shape.N + 3u) / 4u;
  // Where the thread's own rows or words begin, for those that read memory themselves.
  var at_row: array<u32, THREAD_M>;
  var at_word: array<u32, FOURS_N>;
  var acc: array<array<vec4f, FOURS_N>, THREAD_M>;
  for (var m = 0u; m < THREAD_M; m++) { // unroll
    at_row[m] = min(row + thread_m + m, shape.M - 1u) * fours;
  }
  for (var n = 0u; n < FOURS_N; n++) { // unroll
    at_word[n] = min(col / 4u + n * GROUP_N + thread_n, words_n - 1u);
  }

  for (var k = begin; k < end; k += STEP_K) {
    if (STAGED) {
      workgroupBarrier();
      for (var once = 0u; once < PLAIN; once++) { // unroll
        for (var i = thread; i < TILE_M * STAGE_K; i += THREADS) {
          stage_a[i / STEP_K * STRIDE_A + i % STEP_K] = along_k(row + i / STEP_K, k + i % STEP_K);
        }
      }
      for (var once = 0u; once < TURNED; once++) { // unroll
        for (var i = thread; i < TILE_M * STAGE_K; i += THREADS) {
          stage_a[i] = along_m(4u * k + i / WORDS_M, row / 4u + i % WORDS_M);
        }
      }
      for (var i = thread; i < 4u * STAGE_K * WORDS_N; i += THREADS) {
        stage_b[i] = along_n(4u * k + i / WORDS_N, col / 4u + i % WORDS_N);
      }
      workgroupBarrier();
    }
    for (var i = 0u; i < STEP_K; i++) { // unroll
      // Four numbers along K of each row of the patch.
      var left: array<vec4f, THREAD_M>;
      for (var once = 0u; once < PLAIN; once++) { // unroll
        for (var m = 0u; m < THREAD_M; m++) { // unroll
          if (STAGED) { left[m] = stage_a[(thread_m + m) * STRIDE_A + i]; }
          else { left[m] = a[at_row[m] + k + i]; }
        }
      }
      for (var once = 0u; once < TURNED; once++) { // unroll
        for (var m = 0u; m < FOURS_M; m++) { // unroll
          var rows: array<vec4f, 4>;
          for (var j = 0u; j < 4; j++) { // unroll
            if (STAGED) { rows[j] = stage_a[(4u * i + j) * WORDS_M + thread_m / 4u + m]; }
            else { rows[j] = along_m(4u * (k + i) + j, (row + thread_m) / 4u + m); }
          }
          for (var j = 0u; j < 4; j++) { // unroll
            left[4u * m + j] = vec4f(rows[0][j], rows[1][j], rows[2][j], rows[3][j]);
          }
        }
      }
      for (var j = 0u; j < 4; j++) { // unroll
        for (var n = 0u; n < FOURS_N; n++) { // unroll
          var right: vec4f;
          if (STAGED) { right = stage_b[(4u * i + j) * WORDS_N + n * GROUP_N + thread_n]; }
          else { right = b[min(4u * (k + i) + j, shape.K - 1u) * words_n + at_word[n]]; }
          for (var m = 0u; m < THREAD_M; m++) { // unroll
            acc[m][n] = fma(vec4f(left[m][j]), right, acc[m][n]);
          }
        }
      }
    }
  }

  for (var m = 0u; m < THREAD_M; m++) { // unroll
    for (var n = 0u; n < FOURS_N; n++) { // unroll
      let at = vec2u(row + thread_m + m, col / 4u + n * GROUP_N + thread_n);
      if (at.x < shape.M && at.y < words_n) { c[(part * shape.M + at.x) * words_n + at.y] = acc[m][n]; }
    }
  }
}
