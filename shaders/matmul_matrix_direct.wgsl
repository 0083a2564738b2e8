// C = A · Bᵀ like matmul_matrix.wgsl, with operands loaded from where they lie, through the caches. M, N and K are
// multiples of the unit's: matrices past the edge are the last ones again, and not stored.
//
// Prelude: elem, unit_elem (the same), sum_elem, UNIT_M, UNIT_N (multiples of 4), UNIT_K (likewise), SUBGROUP (lanes, at
// most), GROUP_M, GROUP_N (subgroups of a workgroup), MATRICES_M, MATRICES_N, STEP_K (unit sizes of K in one turn of
// the loop; a divisor of K); derived from these SUMS = MATRICES_M · MATRICES_N.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<elem>;
@group(0) @binding(2) var<storage, read> b: array<elem>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<elem>>;

alias Left = subgroup_matrix_left<unit_elem, UNIT_K, UNIT_M>;
alias Right = subgroup_matrix_right<unit_elem, UNIT_N, UNIT_K>;
alias Sum = subgroup_matrix_result<sum_elem, UNIT_N, UNIT_M>;

const SUBGROUPS = GROUP_M * GROUP_N;
const THREADS = SUBGROUP * SUBGROUPS;
const TILE_M = GROUP_M * MATRICES_M * UNIT_M;
const TILE_N = GROUP_N * MATRICES_N * UNIT_N;
const SUM_SIZE = UNIT_M * UNIT_N;

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
  // Where subgroups are smaller than they may be, there are more of them: those repeat what the last one does.
  let subgroup = min(thread / lanes, SUBGROUPS - 1u);
  let first_m = row + subgroup / GROUP_N * MATRICES_M * UNIT_M;
  let first_n = col + subgroup % GROUP_N * MATRICES_N * UNIT_N;
  let stride = shape.K;

  var at_a: array<u32, MATRICES_M>;
  var at_b: array<u32, MATRICES_N>;
  for (var m = 0u; m < MATRICES_M; m++) { // unroll
    at_a[m] = min(first_m + m * UNIT_M, shape.M - UNIT_M) * stride;
  }
  for (var n = 0u; n < MATRICES_N; n++) { // unroll
    at_b[n] = min(first_n + n * UNIT_N, shape.N - UNIT_N) * stride;
  }

  var acc: array<Sum, SUMS>;
  for (var k = 0u; k < shape.K; k += STEP_K * UNIT_K) {
    for (var step = 0u; step < STEP_K; step++) { // unroll
      var left: array<Left, MATRICES_M>;
      for (var m = 0u; m < MATRICES_M; m++) { // unroll
        left[m] = subgroupMatrixLoad<Left, row_major>(&a, at_a[m] + k + step * UNIT_K, stride);
      }
      for (var n = 0u; n < MATRICES_N; n++) { // unroll
        let right = subgroupMatrixLoad<Right, col_major>(&b, at_b[n] + k + step * UNIT_K, stride);
        for (var m = 0u; m < MATRICES_M; m++) { // unroll
          acc[m * MATRICES_N + n] = subgroupMatrixMultiplyAccumulate(left[m], right, acc[m * MATRICES_N + n]);
        }
      }
    }
  }

  let words_n = shape.N / 4u;
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
