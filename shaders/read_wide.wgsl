// Probe: read.wgsl with loads of 64 bytes: an index is checked once for four vec4s. `words` still counts vec4s, and
// is a multiple of four.
//
// Prelude: elem, THREADS (a power of two), LOADS, OWN.

struct Shape { groups: u32, words: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> data: array<mat4x4<elem>>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4f>;

const STEP = select(THREADS, 1u, OWN == 1u);

var<workgroup> partial: array<vec4f, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = group.y * grid.x + group.x;
  if (index >= shape.groups) { return; }
  let words = shape.words / 4u;
  let begin = index * words;
  let part = (words + THREADS - 1u) / THREADS;
  let slice_end = begin + words;
  let end = select(slice_end, min(begin + (thread + 1u) * part, slice_end), OWN == 1u);

  var acc: array<vec4f, LOADS>;
  var at = begin + select(thread, thread * part, OWN == 1u);
  for (; at + (LOADS - 1u) * STEP < end; at += LOADS * STEP) {
    for (var i = 0u; i < LOADS; i++) { // unroll
      let word = data[at + i * STEP];
      acc[i] += (vec4f(word[0]) + vec4f(word[1])) + (vec4f(word[2]) + vec4f(word[3]));
    }
  }
  for (; at < end; at += STEP) {
    let word = data[at];
    acc[0] += (vec4f(word[0]) + vec4f(word[1])) + (vec4f(word[2]) + vec4f(word[3]));
  }
  for (var i = 1u; i < LOADS; i++) { // unroll
    acc[0] += acc[i];
  }

  partial[thread] = acc[0];
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (thread < reach) { partial[thread] += partial[thread + reach]; }
  }
  if (thread == 0u) { sums[index] = partial[0]; }
}
