// Y = X · Wᵀ for few tokens, each times the matrices of its own experts.  X is (pairs / sharing, K), Y is (pairs, N) with
// a row for each token and expert of it, W is (held · PER_OUTPUT · N, K), expert after expert; all row-major with rows
// padded to whole vec4s. `ids` says which expert a pair's is: (tokens, chosen). Pairs of experts that are not held here
// are left alone.
//
// LANES threads share ROWS rows of W, striding along K together; a workgroup has TEAMS such teams, all of one pair.
// The lanes' partial sums meet in workgroup memory, or, where BY_SUBGROUP = 1 and a team is a subgroup, in one
// instruction.
//
// With PER_OUTPUT = 2 each output is made of two rows of W, n and N + n: the gate through SiLU, times the other.
// PLAIN_ROWS = ROWS and GATED_PAIRS = 0, or with two rows an output 0 and ROWS / 2.
//
// Prelude: elem, LANES (a power of two), TEAMS, ROWS, BY_SUBGROUP, PER_OUTPUT, PLAIN_ROWS, GATED_PAIRS.

struct Shape { tokens: u32, chosen: u32, sharing: u32, experts: u32, held: u32, until: u32, woken: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read> w: array<vec4<elem>>;
@group(0) @binding(4) var<storage, read_write> y: array<elem>;

const THREADS = LANES * TEAMS;
const BY_WORKGROUP = LANES > 1u && BY_SUBGROUP == 0u;
const SHARED = select(1u, THREADS * ROWS, BY_WORKGROUP);

var<workgroup> partial: array<f32, SHARED>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let lane = thread % LANES;
  let outputs = TEAMS * ROWS / PER_OUTPUT;
  let per_pair = (shape.N + outputs - 1u) / outputs;
  let index = group.y * grid.x + group.x;
  let pair = index / per_pair;
  if (pair >= shape.tokens * shape.chosen) { return; }
  let ids_stride = (shape.chosen + 3u) / 4u * 4u;
  // Below the first this wraps around, and is large as well.
  let expert = ids[pair / shape.chosen * ids_stride + pair % shape.chosen] - (shape.until - shape.held);
  if (expert >= shape.held) { return; }
  let first = (index % per_pair * TEAMS + thread / LANES) * (ROWS / PER_OUTPUT);
  let words = (shape.K + 3u) / 4u;
  let at_x = pair / shape.sharing * words;

  var at: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    at[r] = ((expert * PER_OUTPUT + r % PER_OUTPUT) * shape.N + min(first + r / PER_OUTPUT, shape.N - 1u)) * words;
  }

  var acc: array<f32, ROWS>;
  for (var k = lane; k < words; k += LANES) {
    let input = vec4f(x[at_x + k]);
    for (var r = 0u; r < ROWS; r++) { // unroll
      let weight = vec4f(w[at[r] + k]);
      acc[r] = fma(input.x, weight.x, fma(input.y, weight.y, fma(input.z, weight.z, fma(input.w, weight.w, acc[r]))));
    }
  }

  for (var sum = 0u; sum < BY_SUBGROUP; sum++) { // unroll
    for (var r = 0u; r < ROWS; r++) { // unroll
      acc[r] = subgroupAdd(acc[r]);
    }
  }
  if (BY_WORKGROUP) {
    for (var r = 0u; r < ROWS; r++) { // unroll
      partial[r * THREADS + thread] = acc[r];
    }
    for (var reach = LANES / 2u; reach > 0u; reach /= 2u) {
      workgroupBarrier();
      if (lane < reach) {
        for (var i = 0u; i < ROWS; i++) { partial[i * THREADS + thread] += partial[i * THREADS + thread + reach]; }
      }
    }
    // Lane 0 of each team reads only what it wrote itself.
    for (var r = 0u; r < ROWS; r++) { // unroll
      acc[r] = partial[r * THREADS + thread];
    }
  }

  if (lane > 0u) { return; }
  let stride = (shape.N + 3u) / 4u * 4u;
  for (var r = 0u; r < PLAIN_ROWS; r++) { // unroll
    if (first + r < shape.N) { y[pair * stride + first + r] = elem(acc[r]); }
  }
  for (var gated = 0u; gated < GATED_PAIRS; gated++) { // unroll
    let gate = acc[2u * gated];
    // SiLU; e^80 is not yet infinite.
    let value = gate / (1 + exp(min(-gate, 80.0))) * acc[2u * gated + 1u];
    if (first + gated < shape.N) { y[pair * stride + first + gated] = elem(value); }
  }
}
