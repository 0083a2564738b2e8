// The experts of each token: of its `experts` logits, with their bias, the `chosen` largest, largest first and of equals the
// first, and their softmax.  logits is (tokens, experts), bias one row like those; ids and weights are (tokens, chosen).
// Rows are padded to whole vec4s.
//
// A workgroup takes a token. An expert's place is how many are ahead of it, so that no two threads meet.
//
// Prelude: elem, THREADS, EXPERTS, CHOSEN.

struct Shape { tokens: u32, experts: u32, chosen: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<elem>;
@group(0) @binding(2) var<storage, read> bias: array<elem>;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> weights: array<f32>;

var<workgroup> score: array<f32, EXPERTS>;
var<workgroup> best: array<u32, CHOSEN>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let token = group.y * grid.x + group.x;
  if (token >= shape.tokens) { return; }
  let row = token * ((EXPERTS + 3u) / 4u * 4u);
  for (var expert = thread; expert < EXPERTS; expert += THREADS) {
    score[expert] = f32(logits[row + expert]) + f32(bias[expert]);
  }
  // Where logits are not numbers nobody has a place: an expert that exists has to stand in each.
  for (var place = thread; place < CHOSEN; place += THREADS) { best[place] = place; }
  workgroupBarrier();
  for (var expert = thread; expert < EXPERTS; expert += THREADS) {
    let own = score[expert];
    var ahead = 0u;
    for (var other = 0u; other < EXPERTS; other++) {
      let rival = score[other];
      ahead += select(0u, 1u, rival > own || (rival == own && other < expert));
    }
    if (ahead < CHOSEN && own == own) { best[ahead] = expert; }
  }
  workgroupBarrier();
  let highest = score[best[0]];
  var total = 0.0;
  for (var place = 0u; place < CHOSEN; place++) { total += exp(score[best[place]] - highest); }
  let out = token * ((CHOSEN + 3u) / 4u * 4u);
  for (var place = thread; place < CHOSEN; place += THREADS) {
    ids[out + place] = best[place];
    weights[out + place] = exp(score[best[place]] - highest) / total;
  }
}
