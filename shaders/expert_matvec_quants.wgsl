// Y = X · Wᵀ for few tokens, each times the matrices of its own experts, like expert_matvec.wgsl, where W is whole numbers in
// blocks of 32 along K with a scale per block. They are unpacked in registers, four with one shift (see elements.ts), and
// multiplied in f32; a lane takes a block in turn.
//
// Prelude: elem, LANES (a power of two), TEAMS, ROWS, BY_SUBGROUP, PER_OUTPUT, PLAIN_ROWS, GATED_PAIRS as there, BITS (4 or
// 8); derived from BITS WORDS = BITS / 4, the vec4us of a block, and FOURS = 32 / BITS, the vec4s that one unpacks to.

struct Shape { tokens: u32, chosen: u32, sharing: u32, experts: u32, held: u32, until: u32, woken: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read> w: array<vec4u>;
// Two f16 in each u32.
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<elem>;

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
  let blocks = shape.K / 32u;
  let scales_stride = (blocks + 3u) / 4u * 4u;
  let at_x = pair / shape.sharing * blocks * 8u;

  var at: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    at[r] = (expert * PER_OUTPUT + r % PER_OUTPUT) * shape.N + min(first + r / PER_OUTPUT, shape.N - 1u);
  }

  var acc: array<f32, ROWS>;
  for (var block = lane; block < blocks; block += LANES) {
    var input: array<vec4f, 8>;
    for (var i = 0u; i < 8u; i++) { // unroll
      input[i] = vec4f(x[at_x + block * 8u + i]);
    }
    for (var r = 0u; r < ROWS; r++) { // unroll
      let scale_at = at[r] * scales_stride + block;
      let scale = unpack2x16float(scales[scale_at / 2u] >> (16u * (scale_at % 2u))).x;
      var products = 0.0;
      for (var word = 0u; word < WORDS; word++) { // unroll
        let quants = w[(at[r] * blocks + block) * WORDS + word];
        for (var four = 0u; four < FOURS; four++) { // unroll
          let weight = vec4f(vec4i(quants << vec4u(32u - BITS - BITS * four)) >> vec4u(32u - BITS));
          products += dot(input[word * FOURS + four], weight);
        }
      }
      acc[r] = fma(products, scale, acc[r]);
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
