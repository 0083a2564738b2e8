// Adds up what SPLIT workgroups found about each element of an output: parts one after another -> elements.
//
// Prelude: elem, THREADS, SPLIT. The shape's M and N are the output's; rows are padded to whole vec4s.

struct Shape { M: u32, N: u32, K: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> parts: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4<elem>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = shape.M * ((shape.N + 3u) / 4u);
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  if (at >= words) { return; }
  var sum = vec4f();
  for (var part = 0u; part < SPLIT; part++) { sum += parts[part * words + at]; }
  sums[at] = vec4<elem>(sum);
}
