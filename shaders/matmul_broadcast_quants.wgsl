// C = A · Bᵀ like matmul_broadcast.wgsl, where B is whole numbers in blocks of 32 along K with a scale per block.
// They are unpacked in registers: four of them with one shift (see elements.ts), used for THREAD_M rows of A.
//
// Prelude: elem, BITS (4 or 8), SUBGROUP (lanes), SUBGROUPS (of a workgroup, along M), THREAD_M, THREAD_N (a
// multiple of 4), TURNS (of the loop along a block, written out); derived from these LOADS = max(THREAD_M / SUBGROUP, 1), STEP_K = max(SUBGROUP / THREAD_M, 1)
// (at most 8) and WORDS = BITS / 4, the vec4us of a block.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
// Two f16 in each u32.
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read_write> c: array<vec4<elem>>;

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
  let blocks = shape.K / 32u;
  let scales_stride = (blocks + 3u) / 4u * 4u;

  var at_a: array<u32, LOADS>;
  var at_b: array<u32, THREAD_N>;
  var at_scale: array<u32, THREAD_N>;
  var acc: array<array<f32, THREAD_N>, THREAD_M>;
  for (var i = 0u; i < LOADS; i++) { // unroll
    at_a[i] = min(row + (i * SUBGROUP + lane) % THREAD_M, shape.M - 1u) * blocks * 8u + lane / THREAD_M * u32(STEP_K > 1u);
  }
  for (var n = 0u; n < THREAD_N; n++) { // unroll
    at_b[n] = min(col + n, shape.N - 1u) * blocks * WORDS;
    at_scale[n] = min(col + n, shape.N - 1u) * scales_stride;
  }

  for (var block = 0u; block < blocks; block++) {
    var scale: array<f32, THREAD_N>;
    var quants: array<vec4u, THREAD_N>;
    var quants_high: array<vec4u, THREAD_N>;
    for (var n = 0u; n < THREAD_N; n++) { // unroll
      scale[n] = unpack2x16float(scales[(at_scale[n] + block) / 2u])[(at_scale[n] + block) % 2u];
      quants[n] = b[at_b[n] + block * WORDS];
      if (WORDS == 2u) { quants_high[n] = b[at_b[n] + block * 2u + 1u]; }
    }
    for (var begin = 0u; begin < 8u; begin += STEP_K * TURNS) {
      for (var turn = 0u; turn < TURNS; turn++) { // unroll
        let k = begin + turn * STEP_K;
        var shared_a: array<vec4<elem>, LOADS>;
        for (var i = 0u; i < LOADS; i++) { // unroll
          shared_a[i] = a[at_a[i] + block * 8u + k];
        }
        for (var step = 0u; step < STEP_K; step++) { // unroll
          var right: array<vec4f, THREAD_N>;
          let place = (k + step) % (32u / BITS);
          for (var n = 0u; n < THREAD_N; n++) { // unroll
            var word = quants[n];
            if (WORDS == 2u && k + step >= 4u) { word = quants_high[n]; }
            right[n] = scale[n] * vec4f(vec4i(word << vec4u(32u - BITS - BITS * place)) >> vec4u(32u - BITS));
          }
          for (var m = 0u; m < THREAD_M; m++) { // unroll
            let left = vec4f(subgroupBroadcast(shared_a[m / SUBGROUP], m % SUBGROUP + step * THREAD_M));
            for (var n = 0u; n < THREAD_N; n++) { // unroll
              acc[m][n] = fma(left.x, right[n].x, fma(left.y, right[n].y, fma(left.z, right[n].z, fma(left.w, right[n].w, acc[m][n]))));
            }
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
