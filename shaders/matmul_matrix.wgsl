// C = A · Bᵀ like matmul_tiled.wgsl, multiplied by subgroup matrices. A workgroup copies STAGE_K unit sizes of K of
// each of its rows into workgroup memory, with zeros past the end of K, and its subgroups multiply from there:
// MATRICES_M × MATRICES_N sums each. Rows past the edge are copies of the last row and not stored. Sums go through
// workgroup memory on their way out, for matrices have no elements that a shader could convert, or leave out.
//
// Prelude: elem, unit_elem (what is multiplied), sum_elem, UNIT_M, UNIT_N (multiples of 4), UNIT_K (likewise),
// SUBGROUP (lanes, at most), GROUP_M, GROUP_N (subgroups of a workgroup), MATRICES_M, MATRICES_N, STAGE_K; derived
// from these SUMS = MATRICES_M · MATRICES_N and STAGE_PAD.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<elem>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<elem>>;

alias Left = subgroup_matrix_left<unit_elem, UNIT_K, UNIT_M>;
alias Right = subgroup_matrix_right<unit_elem, UNIT_N, UNIT_K>;
alias Sum = subgroup_matrix_result<sum_elem, UNIT_N, UNIT_M>;

const SUBGROUPS = GROUP_M * GROUP_N;
const THREADS = SUBGROUP * SUBGROUPS;
const TILE_M = GROUP_M * MATRICES_M * UNIT_M;
const TILE_N = GROUP_N * MATRICES_N * UNIT_N;
const SUM_SIZE = UNIT_M * UNIT_N;
const STEP_WORDS = STAGE_K * UNIT_K / 4u;
// The padding keeps neighbouring rows in different banks.
const STRIDE = STAGE_K * UNIT_K + STAGE_PAD;

var<workgroup> stage_a: array<unit_elem, TILE_M * STRIDE>;
var<workgroup> stage_b: array<unit_elem, TILE_N * STRIDE>;
var<workgroup> results: array<sum_elem, SUBGROUPS * SUM_SIZE>;

// No compiler can know that the lanes of a subgroup divide into the same number.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let tiles_m = (shape.M + TILE_M - 1u) / TILE_M;
  let tile = group.y * grid.x + group.x;
  let row = (tile % tiles_m) * TILE_M;
  let col = (tile / tiles_m) * TILE_N;
  if (col >= shape.N) { return; }
  let words_k = (shape.K + 3u) / 4u;
  // Where subgroups are smaller than they may be, there are more of them: those repeat what the last one does.
  let subgroup = min(thread / lanes, SUBGROUPS - 1u);
  let first_m = subgroup / GROUP_N * MATRICES_M * UNIT_M;
  let first_n = subgroup % GROUP_N * MATRICES_N * UNIT_N;

  var acc: array<Sum, SUMS>;
  for (var k = 0u; k < words_k; k += STEP_WORDS) {
    workgroupBarrier();
    for (var i = thread; i < TILE_M * STEP_WORDS; i += THREADS) {
      let at = k + i % STEP_WORDS;
      var word = vec4<elem>();
      if (at < words_k) { word = a[min(row + i / STEP_WORDS, shape.M - 1u) * words_k + at]; }
      let to = i / STEP_WORDS * STRIDE + i % STEP_WORDS * 4u;
      stage_a[to] = unit_elem(word.x);
      stage_a[to + 1u] = unit_elem(word.y);
      stage_a[to + 2u] = unit_elem(word.z);
      stage_a[to + 3u] = unit_elem(word.w);
    }
    for (var i = thread; i < TILE_N * STEP_WORDS; i += THREADS) {
      let at = k + i % STEP_WORDS;
      var word = vec4<elem>();
      if (at < words_k) { word = b[min(col + i / STEP_WORDS, shape.N - 1u) * words_k + at]; }
      let to = i / STEP_WORDS * STRIDE + i % STEP_WORDS * 4u;
      stage_b[to] = unit_elem(word.x);
      stage_b[to + 1u] = unit_elem(word.y);
      stage_b[to + 2u] = unit_elem(word.z);
      stage_b[to + 3u] = unit_elem(word.w);
    }
    workgroupBarrier();
    for (var step = 0u; step < STAGE_K; step++) { // unroll
      var left: array<Left, MATRICES_M>;
      for (var m = 0u; m < MATRICES_M; m++) { // unroll
        left[m] = subgroupMatrixLoad<Left, row_major>(&stage_a, (first_m + m * UNIT_M) * STRIDE + step * UNIT_K, STRIDE);
      }
      for (var n = 0u; n < MATRICES_N; n++) { // unroll
        let right = subgroupMatrixLoad<Right, col_major>(&stage_b, (first_n + n * UNIT_N) * STRIDE + step * UNIT_K, STRIDE);
        for (var m = 0u; m < MATRICES_M; m++) { // unroll
          acc[m * MATRICES_N + n] = subgroupMatrixMultiplyAccumulate(left[m], right, acc[m * MATRICES_N + n]);
        }
      }
    }
  }

  let words_n = (shape.N + 3u) / 4u;
  for (var m = 0u; m < MATRICES_M; m++) { // unroll
    for (var n = 0u; n < MATRICES_N; n++) { // unroll
      workgroupBarrier();
      subgroupMatrixStore<row_major>(&results, subgroup * SUM_SIZE, acc[m * MATRICES_N + n], UNIT_N);
      workgroupBarrier();
      for (var i = thread; i < SUBGROUPS * SUM_SIZE / 4u; i += THREADS) {
        let owner = i * 4u / SUM_SIZE;
        let at = vec2u(
          row + (owner / GROUP_N * MATRICES_M + m) * UNIT_M + i * 4u % SUM_SIZE / UNIT_N,
          (col + (owner % GROUP_N * MATRICES_N + n) * UNIT_N + i * 4u % UNIT_N) / 4u,
        );
        if (at.x < shape.M && at.y < words_n) {
          let sums = vec4(results[4u * i], results[4u * i + 1u], results[4u * i + 2u], results[4u * i + 3u]);
          c[at.x * words_n + at.y] = vec4<elem>(sums);
        }
      }
    }
  }
}
