// Y = X · Wᵀ like matvec_quants.wgsl, with X rounded to eight bits by quantise.wgsl: four products in one
// instruction, summed in whole numbers, exactly, within a block of 32.
//
// Numbers of four bits are multiplied in the upper half of each byte, which makes them 16 times as large: no bits to
// extend, and the factor goes into the scale.
//
// With PER_OUTPUT = 2 each output is made of two rows of W, n and N + n: the gate through SiLU, times the other
// (see swiglu.ts). PLAIN_ROWS = ROWS and GATED_PAIRS = 0, or with two rows an output 0 and ROWS / 2.
//
// Prelude: elem, M (sizes the accumulators), LANES (a power of two), TEAMS, ROWS, BY_SUBGROUP;
// FOUR_BITS and EIGHT_BITS, of which one is 1 and the other 0.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
// Two vec4us for each block: for weights of four bits those that meet even nibbles, then the odd ones.
@group(0) @binding(1) var<storage, read> x: array<vec4u>;
@group(0) @binding(2) var<storage, read> x_scales: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<vec4u>;
// Two f16 in each u32.
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<elem>;

const THREADS = LANES * TEAMS;
const SUMS = M * ROWS;
const BY_WORKGROUP = LANES > 1u && BY_SUBGROUP == 0u;
const SHARED = select(1u, THREADS * SUMS, BY_WORKGROUP);
const UPPER = vec4u(0xf0f0f0f0u);

var<workgroup> partial: array<f32, SHARED>;

fn products(a: vec4u, b: vec4u) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

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
  let x_stride = scales_stride;

  var at: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // unroll
    at[r] = min(first + r / PER_OUTPUT, shape.N - 1u) + r % PER_OUTPUT * shape.N;
  }

  var acc: array<array<f32, ROWS>, M>;
  for (var block = lane; block < blocks; block += LANES) {
    var low: array<vec4u, M>;
    var high: array<vec4u, M>;
    var input_scale: array<f32, M>;
    for (var m = 0u; m < M; m++) { // unroll
      low[m] = x[(m * blocks + block) * 2u];
      high[m] = x[(m * blocks + block) * 2u + 1u];
      input_scale[m] = x_scales[m * x_stride + block];
    }
    for (var r = 0u; r < ROWS; r++) { // unroll
      let scale_at = at[r] * scales_stride + block;
      let scale = unpack2x16float(scales[scale_at / 2u] >> (16u * (scale_at % 2u))).x;
      for (var four = 0u; four < FOUR_BITS; four++) { // unroll
        let quants = w[at[r] * blocks + block];
        let even = (quants << vec4u(4u)) & UPPER;
        let odd = quants & UPPER;
        for (var m = 0u; m < M; m++) { // unroll
          acc[m][r] = fma(f32(products(even, low[m]) + products(odd, high[m])), scale * input_scale[m] / 16, acc[m][r]);
        }
      }
      for (var eight = 0u; eight < EIGHT_BITS; eight++) { // unroll
        let first_half = w[(at[r] * blocks + block) * 2u];
        let second_half = w[(at[r] * blocks + block) * 2u + 1u];
        for (var m = 0u; m < M; m++) { // unroll
          acc[m][r] = fma(f32(products(first_half, low[m]) + products(second_half, high[m])), scale * input_scale[m], acc[m][r]);
        }
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
