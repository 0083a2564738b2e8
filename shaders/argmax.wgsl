// The largest of PARTS parts of each row, with its column: a workgroup takes one part of one row. Of equals the first
// counts. argmax_merge.wgsl makes one of the parts.
//
// Logits come in blocks of `block` columns, block after block, each with all rows: what a matrix product in pieces
// leaves behind. What lies beyond the last column is padding.
//
// Prelude: elem, THREADS (a power of two), PARTS.

struct Shape { rows: u32, columns: u32, block: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<elem>;
@group(0) @binding(2) var<storage, read_write> best: array<vec4f>;

const LOWEST = -3.4e38;

var<workgroup> highest: array<f32, THREADS>;
var<workgroup> place: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let number = group.y * grid.x + group.x;
  let row = number / PARTS;
  if (row >= shape.rows) { return; }
  let share = (shape.columns + PARTS - 1u) / PARTS;
  let begin = min(number % PARTS * share, shape.columns);
  let end = min(begin + share, shape.columns);
  let stride = (shape.block + 3u) / 4u * 4u;

  var top = LOWEST;
  var at_top = shape.columns;
  for (var column = begin + thread; column < end; column += THREADS) {
    let value = f32(logits[(column / shape.block * shape.rows + row) * stride + column % shape.block]);
    if (value > top) {
      top = value;
      at_top = column;
    }
  }
  highest[thread] = top;
  place[thread] = at_top;
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (thread < reach) {
      let other = highest[thread + reach];
      let at_other = place[thread + reach];
      if (other > highest[thread] || (other == highest[thread] && at_other < place[thread])) {
        highest[thread] = other;
        place[thread] = at_other;
      }
    }
  }
  // A vocabulary has fewer than 2^24 tokens, which f32 counts exactly.
  if (thread == 0u) { best[number] = vec4f(highest[0], f32(place[0]), 0, 0); }
}
