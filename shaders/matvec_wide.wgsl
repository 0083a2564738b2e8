// Y = X · Wᵀ like matvec_lanes.wgsl, for CPUs and the like: each thread walks along ROWS rows of W by itself, 64
// bytes at a time, so that bounds are checked once for four vec4s and cache lines are used whole.
//
// With SUBGROUP > 0, subgroups have that many lanes: each loads a part of X and hands it to the others by broadcast.
// With 0 every thread loads all of X.
//
// Prelude: elem, M (sizes the accumulators), THREADS, ROWS, SUBGROUP; derived from these ALONE_M = M and SHARED_M = 0
// without subgroups, the other way round with them, and STEP = max(SUBGROUP / 4, 1), the 64-byte words in which the
// lanes of a subgroup load X.   K is a multiple of 16 · STEP.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<elem>>;
@group(0) @binding(3) var<storage, read_write> y: array<elem>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let first = ((group.y * grid.x + group.x) * THREADS + thread) * ROWS;
  let words = shape.K / 16u;

  var at: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    at[r] = min(first + r, shape.N - 1u) * words;
  }

  var acc: array<array<f32, ROWS>, M>;
  for (var k = 0u; k < words; k += STEP) {
    var mine: array<vec4<elem>, M>;
    for (var m = 0u; m < SHARED_M; m++) { // unroll
      mine[m] = x[(m * words + k) * 4u + thread % (4u * STEP)];
    }
    for (var step = 0u; step < STEP; step++) { // unroll
      var input: array<array<vec4f, 4>, M>;
      for (var m = 0u; m < SHARED_M; m++) { // unroll
        for (var i = 0u; i < 4u; i++) { // unroll
          input[m][i] = vec4f(subgroupBroadcast(mine[m], 4u * step + i));
        }
      }
      for (var m = 0u; m < ALONE_M; m++) { // unroll
        for (var i = 0u; i < 4u; i++) { // unroll
          input[m][i] = vec4f(x[(m * words + k + step) * 4u + i]);
        }
      }
      for (var r = 0u; r < ROWS; r++) { // unroll
        let weights = w[at[r] + k + step];
        for (var i = 0u; i < 4u; i++) { // unroll
          let weight = vec4f(weights[i]);
          for (var m = 0u; m < M; m++) { // unroll
            acc[m][r] = fma(input[m][i].x, weight.x, fma(input[m][i].y, weight.y, fma(input[m][i].z, weight.z, fma(input[m][i].w, weight.w, acc[m][r]))));
          }
        }
      }
    }
  }

  let stride = (shape.N + 3u) / 4u * 4u;
  for (var m = 0u; m < M; m++) { // unroll
    for (var r = 0u; r < ROWS; r++) { // unroll
      if (first + r < shape.N) { y[m * stride + first + r] = elem(acc[m][r]); }
    }
  }
}
