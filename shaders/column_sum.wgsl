// The sum of the rows of x, (rows, columns) -> (1, columns): the gradient of what was the same for every row. A workgroup
// takes WIDTH vec4s of a row, PARTS threads for each, with every PARTS-th row.
//
// Prelude: WIDTH, PARTS (a power of two).

struct Shape { rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> sum: array<vec4f>;

var<workgroup> parts: array<vec4f, WIDTH * PARTS>;

@compute @workgroup_size(WIDTH * PARTS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = (shape.columns + 3u) / 4u;
  let word = (group.y * grid.x + group.x) * WIDTH + thread % WIDTH;
  var total = vec4f();
  if (word < words) {
    for (var row = thread / WIDTH; row < shape.rows; row += PARTS) { total += x[row * words + word]; }
  }
  parts[thread] = total;
  for (var reach = PARTS / 2u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (thread < reach * WIDTH) { parts[thread] += parts[thread + reach * WIDTH]; }
  }
  if (thread < WIDTH && word < words) { sum[word] = parts[thread]; }
}
