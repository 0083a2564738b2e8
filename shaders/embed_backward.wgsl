// The gradient of an embedding table: each row is the sum of what came back for the tokens that have its number, in the
// order of the tokens.  ids are (1, tokens), given is (tokens, hidden), table is (vocab, hidden). Where ADD is 1, `other`
// is added, as large: the gradient of an LM head that is the same matrix. A workgroup takes a row of the table; most have
// no token.
//
// Prelude: THREADS, ADD.

struct Shape { tokens: u32, vocab: u32, hidden: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> given: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> table: array<vec4f>;
@group(0) @binding(4) var<storage, read> other: array<vec4f>;

var<workgroup> found: atomic<u32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.y * grid.x + group.x;
  if (row >= shape.vocab) { return; }
  // Zero in so many words: not every browser begins with it.
  if (thread == 0u) { atomicStore(&found, 0u); }
  workgroupBarrier();
  for (var token = thread; token < shape.tokens; token += THREADS) {
    if (ids[token] == row) { atomicStore(&found, 1u); }
  }
  workgroupBarrier();
  let any = atomicLoad(&found) == 1u;

  let words = (shape.hidden + 3u) / 4u;
  for (var at = thread; at < words; at += THREADS) {
    var sum = vec4f();
    if (any) {
      for (var token = 0u; token < shape.tokens; token++) {
        if (ids[token] == row) { sum += given[token * words + at]; }
      }
    }
    for (var once = 0u; once < ADD; once++) { // unroll
      sum += other[row * words + at];
    }
    table[row * words + at] = sum;
  }
}
