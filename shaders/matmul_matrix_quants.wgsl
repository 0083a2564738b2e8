// C = A · Bᵀ like matmul_matrix.wgsl, where B is whole numbers in blocks of 32 along K with a scale per block. A workgroup
// copies a block of each of its rows into workgroup memory, unpacked, scaled and rounded to what is multiplied.
//
// Prelude: elem, unit_elem (what is multiplied), sum_elem, UNIT_M, UNIT_N (multiples of 4), UNIT_K (a divisor of 32),
// SUBGROUP (lanes, at most), GROUP_M, GROUP_N (subgroups of a workgroup), MATRICES_M, MATRICES_N, BITS (4 or 8); derived
// from these SUMS = MATRICES_M · MATRICES_N, STEPS = 32 / UNIT_K, STAGE_PAD, WORDS = BITS / 4, the vec4us of a block, and
// FOURS = 32 / BITS, the vec4s that one of them unpacks to.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
// Two f16 in each u32.
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read_write> c: array<vec4<elem>>;

alias Left = subgroup_matrix_left<unit_elem, UNIT_K, UNIT_M>;
alias Right = subgroup_matrix_right<unit_elem, UNIT_N, UNIT_K>;
alias Sum = subgroup_matrix_result<sum_elem, UNIT_N, UNIT_M>;

const SUBGROUPS = GROUP_M * GROUP_N;
const THREADS = SUBGROUP * SUBGROUPS;
const TILE_M = GROUP_M * MATRICES_M * UNIT_M;
const TILE_N = GROUP_N * MATRICES_N * UNIT_N;
const SUM_SIZE = UNIT_M * UNIT_N;
// The padding keeps neighbouring rows in different banks.
const STRIDE = 32u + STAGE_PAD;

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
  let blocks = shape.K / 32u;
  let scales_stride = (blocks + 3u) / 4u * 4u;
  // Where subgroups are smaller than they may be, there are more of them: those repeat what the last one does.
  let subgroup = min(thread / lanes, SUBGROUPS - 1u);
  let first_m = subgroup / GROUP_N * MATRICES_M * UNIT_M;
  let first_n = subgroup % GROUP_N * MATRICES_N * UNIT_N;

  var acc: array<Sum, SUMS>;
  for (var block = 0u; block < blocks; block++) {
    workgroupBarrier();
    for (var i = thread; i < TILE_M * 8u; i += THREADS) {
      let word = vec4<unit_elem>(a[(min(row + i / 8u, shape.M - 1u) * blocks + block) * 8u + i % 8u]);
      let to = i / 8u * STRIDE + i % 8u * 4u;
      stage_a[to] = word.x;
      stage_a[to + 1u] = word.y;
      stage_a[to + 2u] = word.z;
      stage_a[to + 3u] = word.w;
    }
    for (var i = thread; i < TILE_N * WORDS; i += THREADS) {
      let n = min(col + i / WORDS, shape.N - 1u);
      let at = n * scales_stride + block;
      let scale = unpack2x16float(scales[at / 2u])[at % 2u];
      let packed = b[(n * blocks + block) * WORDS + i % WORDS];
      for (var four = 0u; four < FOURS; four++) { // unroll
        let quants = vec4i(packed << vec4u(32u - BITS - BITS * four)) >> vec4u(32u - BITS);
        let word = vec4<unit_elem>(scale * vec4f(quants));
        let to = i / WORDS * STRIDE + (i % WORDS * FOURS + four) * 4u;
        stage_b[to] = word.x;
        stage_b[to + 1u] = word.y;
        stage_b[to + 2u] = word.z;
        stage_b[to + 3u] = word.w;
      }
    }
    workgroupBarrier();
    for (var step = 0u; step < STEPS; step++) { // unroll
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
