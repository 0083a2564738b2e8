// Rows of an embedding table by their numbers.  ids is (1, tokens), table is (vocab, hidden), out is (tokens, hidden).
//
// A table too large for one binding comes in pieces of `vocab` rows: this is number `piece`, counted from 1. Tokens
// of other pieces are left alone. Each thread takes one vec4.
//
// Where SCALED is 1 they are multiplied by √hidden, as Gemma has it.
//
// Prelude: elem, THREADS, SCALED.

struct Shape { tokens: u32, vocab: u32, hidden: u32, piece: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<vec4<elem>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<elem>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let words = (shape.hidden + 3u) / 4u;
  let at = (group.y * grid.x + group.x) * THREADS + thread;
  let token = at / words;
  if (token >= shape.tokens) { return; }
  let id = ids[token];
  let first = (shape.piece - 1u) * shape.vocab;
  // Below the first this wraps around, and is large as well.
  if (id - first >= shape.vocab) { return; }
  var word = table[(id - first) * words + at % words];
  for (var once = 0u; once < SCALED; once++) { // unroll
    word = vec4<elem>(vec4f(word) * sqrt(f32(shape.hidden)));
  }
  out[at] = word;
}
