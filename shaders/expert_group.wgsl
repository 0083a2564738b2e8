// Pairs of a token and an expert of it, expert by expert: `order` has their numbers, and those of expert e begin at
// offsets[e] and end at offsets[e + 1].  ids is (tokens, chosen), its rows padded to whole vec4s; a pair's number is
// token · chosen + slot. In which order the pairs of one expert stand is left open: nothing that is computed with them
// depends on it.
//
// One workgroup does it. Prelude: THREADS, EXPERTS (of the layer).

struct Shape { tokens: u32, chosen: u32, sharing: u32, experts: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> offsets: array<u32>;

var<workgroup> next: array<atomic<u32>, EXPERTS>;

fn expert_of(pair: u32) -> u32 {
  let stride = (shape.chosen + 3u) / 4u * 4u;
  return min(ids[pair / shape.chosen * stride + pair % shape.chosen], EXPERTS - 1u);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (group.x > 0u) { return; }
  let pairs = shape.tokens * shape.chosen;
  // Zero in so many words: not every browser begins with it.
  for (var expert = thread; expert < EXPERTS; expert += THREADS) { atomicStore(&next[expert], 0u); }
  workgroupBarrier();
  for (var pair = thread; pair < pairs; pair += THREADS) { atomicAdd(&next[expert_of(pair)], 1u); }
  workgroupBarrier();
  if (thread == 0u) {
    var total = 0u;
    for (var expert = 0u; expert < EXPERTS; expert++) {
      let count = atomicLoad(&next[expert]);
      atomicStore(&next[expert], total);
      offsets[expert] = total;
      total += count;
    }
    offsets[EXPERTS] = total;
  }
  workgroupBarrier();
  for (var pair = thread; pair < pairs; pair += THREADS) {
    order[atomicAdd(&next[expert_of(pair)], 1u)] = pair;
  }
}
