// Probe: how fast can memory be read?  Each workgroup sums its own contiguous slice of `words` vec4s,
// neighbouring threads reading neighbouring vec4s, LOADS of them in flight per thread.
//
// Prelude: elem, THREADS (a power of two), LOADS.

struct Shape { groups: u32, words: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> data: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4f>;

var<workgroup> partial: array<vec4f, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = group.y * grid.x + group.x;
  if (index >= shape.groups) { return; }
  let begin = index * shape.words;
  let end = begin + shape.words;

  var acc: array<vec4f, LOADS>;
  var at = begin + thread;
  for (; at + (LOADS - 1u) * THREADS < end; at += LOADS * THREADS) {
    for (var i = 0u; i < LOADS; i++) { // unroll
      acc[i] += vec4f(data[at + i * THREADS]);
    }
  }
  for (; at < end; at += THREADS) { acc[0] += vec4f(data[at]); }
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
