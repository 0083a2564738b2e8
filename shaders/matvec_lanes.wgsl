// Y = X · Wᵀ for a few rows of X.  X is (M, K), W is (N, K), Y is (M, N), row-major with rows padded to
// whole vec4s. Each weight is read once and used for all M rows.
//
// LANES threads share ROWS rows of W, striding along K together; a workgroup has TEAMS such teams.
// The lanes' partial sums meet in workgroup memory, or, where BY_SUBGROUP = 1 and a team is a subgroup, in one
// instruction.
//
// With PER_OUTPUT = 2 each output is made of two rows of W, n and N + n: the gate through SiLU, times the other
// (see swiglu.ts). PLAIN_ROWS = ROWS and GATED_PAIRS = 0, or with two rows an output 0 and ROWS / 2.
//
// With SPLIT > 1 as many workgroups share the rows, each with its part of K, and `y` gets their parts one after another;
// sum_parts.wgsl adds them up.
//
// Prelude: elem, target_elem (f32 for parts, else elem), M (sizes the accumulators), LANES (a power of two), TEAMS, ROWS,
// BY_SUBGROUP, SPLIT.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<elem>>;
@group(0) @binding(3) var<storage, read_write> y: array<target_elem>;

const THREADS = LANES * TEAMS;
const SUMS = M * ROWS;
const BY_WORKGROUP = LANES > 1u && BY_SUBGROUP == 0u;
const SHARED = select(1u, THREADS * SUMS, BY_WORKGROUP);

var<workgroup> partial: array<f32, SHARED>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let lane = thread % LANES;
  let index = group.y * grid.x + group.x;
  let part = index % SPLIT;
  let first = (index / SPLIT * TEAMS + thread / LANES) * (ROWS / PER_OUTPUT);
  let words = (shape.K + 3u) / 4u;
  let part_words = (words + SPLIT - 1u) / SPLIT;
  let end = min((part + 1u) * part_words, words);

  var at: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    at[r] = (min(first + r / PER_OUTPUT, shape.N - 1u) + r % PER_OUTPUT * shape.N) * words;
  }

  var acc: array<array<f32, ROWS>, M>;
  for (var k = part * part_words + lane; k < end; k += LANES) {
    var input: array<vec4f, M>;
    for (var m = 0u; m < M; m++) { // unroll
      input[m] = vec4f(x[m * words + k]);
    }
    for (var r = 0u; r < ROWS; r++) { // unroll
      let weight = vec4f(w[at[r] + k]);
      for (var m = 0u; m < M; m++) { // unroll
        acc[m][r] = fma(input[m].x, weight.x, fma(input[m].y, weight.y, fma(input[m].z, weight.z, fma(input[m].w, weight.w, acc[m][r]))));
      }
    }
  }

  for (var sum = 0u; sum < BY_SUBGROUP; sum++) { // unroll
    for (var m = 0u; m < M; m++) { // unroll
      for (var r = 0u; r < ROWS; r++) { // unroll
        acc[m][r] = subgroupAdd(acc[m][r]);
      }
    }
  }
  if (BY_WORKGROUP) {
    for (var m = 0u; m < M; m++) { // unroll
      for (var r = 0u; r < ROWS; r++) { // unroll
        partial[(m * ROWS + r) * THREADS + thread] = acc[m][r];
      }
    }
    for (var reach = LANES / 2u; reach > 0u; reach /= 2u) {
      workgroupBarrier();
      if (lane < reach) {
        for (var i = 0u; i < SUMS; i++) { partial[i * THREADS + thread] += partial[i * THREADS + thread + reach]; }
      }
    }
    // Lane 0 of each team reads only what it wrote itself.
    for (var m = 0u; m < M; m++) { // unroll
      for (var r = 0u; r < ROWS; r++) { // unroll
        acc[m][r] = partial[(m * ROWS + r) * THREADS + thread];
      }
    }
  }

  if (lane > 0u) { return; }
  let stride = (shape.N + 3u) / 4u * 4u;
  for (var m = 0u; m < M; m++) { // unroll
    for (var r = 0u; r < PLAIN_ROWS; r++) { // unroll
      if (first + r < shape.N) { y[(part * M + m) * stride + first + r] = target_elem(acc[m][r]); }
    }
    for (var pair = 0u; pair < GATED_PAIRS; pair++) { // unroll
      let gate = acc[m][2u * pair];
      // SiLU; e^80 is not yet infinite.
      let value = gate / (1 + exp(min(-gate, 80.0))) * acc[m][2u * pair + 1u];
      if (first + pair < shape.N) { y[m * stride + first + pair] = target_elem(value); }
    }
  }
}
