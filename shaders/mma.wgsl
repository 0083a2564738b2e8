// Probe: how fast do subgroups multiply matrices?  Every subgroup adds LEFTS × RIGHTS products of matrices to as many
// sums, `steps` times, with all of them in registers. Operands come from memory: no compiler can know that each
// element of each product turns out to be 1 or -1, so that the sums count the steps, exactly, and a lost one shows.
// A left operand's rows are a sign times (2, -1, 1, -1, …, -1), whose sum is 1; a right one's columns are of one sign.
//
// Prelude: elem, unit_elem (the same), sum_elem, UNIT_M, UNIT_N, UNIT_K (K even), SUBGROUP (lanes, at most), SUBGROUPS
// (of a workgroup), LEFTS, RIGHTS; derived from these CHAINS = LEFTS · RIGHTS and OWN = max(UNIT_M · UNIT_N / SUBGROUP, 1).

struct Shape { subgroups: u32, chains: u32, steps: u32, M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> signs: array<elem>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

alias Left = subgroup_matrix_left<unit_elem, UNIT_K, UNIT_M>;
alias Right = subgroup_matrix_right<unit_elem, UNIT_N, UNIT_K>;
alias Sum = subgroup_matrix_result<sum_elem, UNIT_N, UNIT_M>;

const THREADS = SUBGROUP * SUBGROUPS;
const LEFT_SIZE = UNIT_M * UNIT_K;
const RIGHT_SIZE = UNIT_K * UNIT_N;
const SUM_SIZE = UNIT_M * UNIT_N;
const SIGNS = (max(LEFTS * UNIT_M, RIGHTS * UNIT_N) + 3u) / 4u * 4u;

var<workgroup> lefts: array<unit_elem, LEFTS * LEFT_SIZE>;
var<workgroup> rights: array<unit_elem, RIGHTS * RIGHT_SIZE>;
var<workgroup> results: array<sum_elem, SUBGROUPS * SUM_SIZE>;

fn sign_of(which: u32, at: u32) -> unit_elem {
  return 2 * floor(signs[which * SIGNS + at]) + 1;
}

// No compiler can know that the lanes of a subgroup divide into the same number.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let first = (group.y * grid.x + group.x) * SUBGROUPS;
  if (first >= shape.subgroups) { return; }
  // Where subgroups are smaller than they may be, there are more of them: those repeat what the last one does.
  let subgroup = min(thread / lanes, SUBGROUPS - 1u);

  for (var i = thread; i < LEFTS * LEFT_SIZE; i += THREADS) {
    let k = i % UNIT_K;
    lefts[i] = sign_of(0u, i / UNIT_K) * select(unit_elem(1) - 2 * unit_elem(k % 2u), 2, k == 0u);
  }
  for (var i = thread; i < RIGHTS * RIGHT_SIZE; i += THREADS) {
    rights[i] = sign_of(1u, i / RIGHT_SIZE * UNIT_N + i % UNIT_N);
  }
  workgroupBarrier();
  var left: array<Left, LEFTS>;
  var right: array<Right, RIGHTS>;
  for (var l = 0u; l < LEFTS; l++) { // unroll
    left[l] = subgroupMatrixLoad<Left, row_major>(&lefts, l * LEFT_SIZE, UNIT_K);
  }
  for (var r = 0u; r < RIGHTS; r++) { // unroll
    right[r] = subgroupMatrixLoad<Right, row_major>(&rights, r * RIGHT_SIZE, UNIT_N);
  }

  var acc: array<Sum, CHAINS>;
  for (var c = 0u; c < CHAINS; c++) { // unroll
    acc[c] = Sum(sum_elem(((first + subgroup) * CHAINS + c) % 64u));
  }
  // Eight steps per turn keep the loop's own cost small.
  for (var i = 0u; i < shape.steps; i += 8u) {
    for (var step = 0u; step < 8u; step++) { // unroll
      for (var l = 0u; l < LEFTS; l++) { // unroll
        for (var r = 0u; r < RIGHTS; r++) { // unroll
          acc[l * RIGHTS + r] = subgroupMatrixMultiplyAccumulate(left[l], right[r], acc[l * RIGHTS + r]);
        }
      }
    }
  }

  var total: array<f32, OWN>;
  for (var c = 0u; c < CHAINS; c++) { // unroll
    workgroupBarrier();
    subgroupMatrixStore<row_major>(&results, subgroup * SUM_SIZE, acc[c], UNIT_N);
    workgroupBarrier();
    for (var own = 0u; own < OWN; own++) { // unroll
      let at = own * THREADS + thread;
      if (at < SUBGROUPS * SUM_SIZE) { total[own] += f32(results[at]); }
    }
  }
  for (var own = 0u; own < OWN; own++) { // unroll
    let at = own * THREADS + thread;
    if (at < SUBGROUPS * SUM_SIZE && first + at / SUM_SIZE < shape.subgroups) {
      sums[first * SUM_SIZE + at] = total[own];
    }
  }
}
