// C = A · Bᵀ like matmul_tiled.wgsl, for subgroups of a known size and without workgroup memory.
//
// The lanes of a subgroup hold neighbouring patches of C, side by side along N, and so need the same rows of
// A: each lane loads some of them and hands them to the others by broadcast, which takes a register move where
// another load would cost a dozen instructions. Each patch is THREAD_M × THREAD_N.
//
// Prelude: elem, SUBGROUP (lanes), SUBGROUPS (of a workgroup, along M), THREAD_M, THREAD_N (a multiple of 4), TURNS
// (of the loop along K, written out: what a loop carries from turn to turn costs something on some adapters);
// derived from these LOADS = max(THREAD_M / SUBGROUP, 1), STEP_K = max(SUBGROUP / THREAD_M, 1) and, of
// the two orders of the innermost loops, one with its bounds and one with zeros:
// HOLD_A_M, HOLD_A_N keep a step's rows of A in registers, HOLD_B_M, HOLD_B_N its rows of B.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<elem>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<elem>>;

const TILE_M = SUBGROUPS * THREAD_M;
const TILE_N = SUBGROUP * THREAD_N;

@compute @workgroup_size(SUBGROUP * SUBGROUPS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tiles_m = (shape.M + TILE_M - 1u) / TILE_M;
  let tile = group.y * grid.x + group.x;
  let row = (tile % tiles_m) * TILE_M + thread / SUBGROUP * THREAD_M;
  let col = (tile / tiles_m) * TILE_N + lane * THREAD_N;
  let words_k = (shape.K + 3u) / 4u;

  var at_a: array<u32, LOADS>;
  var at_b: array<u32, THREAD_N>;
  var acc: array<array<f32, THREAD_N>, THREAD_M>;
  for (var i = 0u; i < LOADS; i++) { // unroll
    at_a[i] = min(row + (i * SUBGROUP + lane) % THREAD_M, shape.M - 1u) * words_k;
  }
  for (var n = 0u; n < THREAD_N; n++) { // unroll
    at_b[n] = min(col + n, shape.N - 1u) * words_k;
  }

  for (var begin = 0u; begin < words_k; begin += STEP_K * TURNS) {
    for (var turn = 0u; turn < TURNS; turn++) { // unroll
      let k = begin + turn * STEP_K;
      var shared_a: array<vec4<elem>, LOADS>;
      for (var i = 0u; i < LOADS; i++) { // unroll
        let at = k + lane / THREAD_M * u32(STEP_K > 1u);
        shared_a[i] = select(vec4<elem>(), a[at_a[i] + at], at < words_k);
      }
      for (var step = 0u; step < STEP_K; step++) { // unroll
        var left: array<vec4f, THREAD_M>;
        for (var m = 0u; m < HOLD_A_M; m++) { // unroll
          left[m] = vec4f(subgroupBroadcast(shared_a[m / SUBGROUP], m % SUBGROUP + step * THREAD_M));
        }
        for (var n = 0u; n < HOLD_A_N; n++) { // unroll
          let right = vec4f(b[at_b[n] + k + step]);
          for (var m = 0u; m < HOLD_A_M; m++) { // unroll
            acc[m][n] = fma(left[m].x, right.x, fma(left[m].y, right.y, fma(left[m].z, right.z, fma(left[m].w, right.w, acc[m][n]))));
          }
        }
        var right: array<vec4f, THREAD_N>;
        for (var n = 0u; n < HOLD_B_N; n++) { // unroll
          right[n] = vec4f(b[at_b[n] + k + step]);
        }
        for (var m = 0u; m < HOLD_B_M; m++) { // unroll
          let left = vec4f(subgroupBroadcast(shared_a[m / SUBGROUP], m % SUBGROUP + step * THREAD_M));
          for (var n = 0u; n < HOLD_B_N; n++) { // unroll
            acc[m][n] = fma(left.x, right[n].x, fma(left.y, right[n].y, fma(left.z, right[n].z, fma(left.w, right[n].w, acc[m][n]))));
          }
        }
      }
    }
  }

  let words_n = (shape.N + 3u) / 4u;
  for (var m = 0u; m < THREAD_M; m++) { // unroll
    for (var n = 0u; n < THREAD_N; n += 4u) { // unroll
      let at = vec2u(row + m, (col + n) / 4u);
      if (at.x < shape.M && at.y < words_n) {
        c[at.x * words_n + at.y] = vec4<elem>(vec4f(acc[m][n], acc[m][n + 1u], acc[m][n + 2u], acc[m][n + 3u]));
      }
    }
  }
}
