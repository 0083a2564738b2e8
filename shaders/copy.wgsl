// Probe: how fast can memory be read and written at once?  Each workgroup copies a contiguous block of
// THREADS · LOADS vec4s.
//
// Prelude: elem, THREADS, LOADS.

struct Shape { words: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> source: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read_write> target_: array<vec4<elem>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let begin = (group.y * grid.x + group.x) * THREADS * LOADS + thread;
  for (var i = 0u; i < LOADS; i++) { // unroll
    let at = begin + i * THREADS;
    if (at < shape.words) { target_[at] = source[at]; }
  }
}
