// Y = X · Wᵀ for a few rows of X, where W is whole numbers in blocks of 32 along K with a scale per block. They are
// unpacked in registers, four with one shift (see elements.ts), and multiplied in f32.
//
// LANES threads share ROWS rows of W, a block for each in turn; a workgroup has TEAMS such teams. The lanes' partial
// sums meet in workgroup memory, or, where BY_SUBGROUP = 1 and a team is a subgroup, in one instruction.
//
// With PER_OUTPUT = 2 each output is made of two rows of W, n and N + n: the gate through SiLU, times the other
// (see swiglu.ts). PLAIN_ROWS = ROWS and GATED_PAIRS = 0, or with two rows an output 0 and ROWS / 2.
//
// Prelude: elem, M (sizes the accumulators), BITS (4 or 8), LANES (a power of two), TEAMS, ROWS, BY_SUBGROUP;
// derived from BITS WORDS = BITS / 4, the vec4us of a block, and FOURS = 32 / BITS, the vec4s that one unpacks to.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> w: array<vec4u>;
// Two f16 in each u32.
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<elem>;

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
  let first = ((group.y * grid.x + group.x) * TEAMS + thread / LANES) * (ROWS / PER_OUTPUT);
  let blocks = shape.K / 32u;
  let scales_stride = (blocks + 3u) / 4u * 4u;

  var at: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    at[r] = min(first + r / PER_OUTPUT, shape.N - 1u) + r % PER_OUTPUT * shape.N;
  }

  var acc: array<array<f32, ROWS>, M>;
  for (var block = lane; block < blocks; block += LANES) {
    var input: array<array<vec4f, 8>, M>;
    for (var m = 0u; m < M; m++) { // unroll
      for (var i = 0u; i < 8u; i++) { // unroll
        input[m][i] = vec4f(x[(m * blocks + block) * 8u + i]);
      }
    }
    for (var r = 0u; r < ROWS; r++) { // unroll
      let scale_at = at[r] * scales_stride + block;
      let scale = unpack2x16float(scales[scale_at / 2u] >> (16u * (scale_at % 2u))).x;
      // Set to zero in so many words: without an initialiser it keeps its value from turn to turn in some browsers.
      var sums = array<f32, M>();
      for (var word = 0u; word < WORDS; word++) { // unroll
        let quants = w[(at[r] * blocks + block) * WORDS + word];
        for (var four = 0u; four < FOURS; four++) { // unroll
          let weight = vec4f(vec4i(quants << vec4u(32u - BITS - BITS * four)) >> vec4u(32u - BITS));
          for (var m = 0u; m < M; m++) { // unroll
            sums[m] += dot(input[m][word * FOURS + four], weight);
          }
        }
      }
      for (var m = 0u; m < M; m++) { // unroll
        acc[m][r] = fma(sums[m], scale, acc[m][r]);
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
      if (first + r < shape.N) { y[m * stride + first + r] = elem(acc[m][r]); }
    }
    for (var pair = 0u; pair < GATED_PAIRS; pair++) { // unroll
      let gate = acc[m][2u * pair];
      // SiLU; e^80 is not yet infinite.
      let value = gate / (1 + exp(min(-gate, 80.0))) * acc[m][2u * pair + 1u];
      if (first + pair < shape.N) { y[m * stride + first + pair] = elem(value); }
    }
  }
}
