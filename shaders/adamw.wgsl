// AdamW (Loshchilov & Hutter, arXiv 1711.05101), all (rows, columns) and each number for itself:
//
//   m' = β1 · m + (1 - β1) · gradient          v' = β2 · v + (1 - β2) · gradient²
//   weight' = weight · (1 - decay) - rate · m' · c1 / (√(v' · c2) + ε)
//
// with schedule = (rate, c1, c2, decay) of the step: c1 and c2 are 1 / (1 - β^step), which correct the bias of means that
// began at zero, and decay is the learning rate times the weight decay. v and c2 are never negative; their sign is not
// looked at. Where APART is 0, weight', m' and v' stand where the step before left them, and are changed there. Each
// thread takes one vec4.
//
// Prelude: THREADS, APART.

struct Shape { rows: u32, columns: u32, microBeta1: u32, microBeta2: u32, picoEpsilon: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read> schedule: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> next_weight: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> next_m: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> next_v: array<vec4f>;
@group(0) @binding(6) var<storage, read> weight: array<vec4f>;
@group(0) @binding(7) var<storage, read> m: array<vec4f>;
@group(0) @binding(8) var<storage, read> v: array<vec4f>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  if (at >= shape.rows * ((shape.columns + 3u) / 4u)) { return; }
  for (var once = 0u; once < APART; once++) { // unroll
    next_weight[at] = weight[at];
    next_m[at] = m[at];
    next_v[at] = v[at];
  }
  let beta1 = f32(shape.microBeta1) * 1e-6;
  let beta2 = f32(shape.microBeta2) * 1e-6;
  // Counted in whole numbers: 1 - β2 itself would lose its last digits.
  let rest1 = f32(1000000u - shape.microBeta1) * 1e-6;
  let rest2 = f32(1000000u - shape.microBeta2) * 1e-6;
  let given = gradient[at];
  let mean = beta1 * next_m[at] + rest1 * given;
  let square = beta2 * abs(next_v[at]) + rest2 * given * given;
  let now = schedule[0];
  let root = sqrt(square * abs(now.z)) + f32(shape.picoEpsilon) * 1e-12;
  next_m[at] = mean;
  next_v[at] = square;
  next_weight[at] = next_weight[at] * (1 - now.w) - now.x * now.y * mean / root;
}
