// Attention over SPLITS parts of the keys made one, like attention_merge.wgsl, with a sink for each head (gpt-oss; Xiao et al.,
// arXiv 2309.17453): one more score in the softmax, of a key without a value. O = Σ wᵢ · partialᵢ / (Σ wᵢ + exp(sink - highest))
// with wᵢ = totalᵢ · exp(highestᵢ - highest).
//
//   partial: (rows · SPLITS, headDim), each part's own result      O: (rows, headDim)      sinks: (1, heads)
//   stats: the highest score and the sum of the weights of each part, which is zero where it had no key to see
//
// Each thread makes one vec4 of O. Prelude: elem, HEAD_WORDS, SPLITS, THREADS.

struct Shape { batch: u32, queries: u32, keys: u32, heads: u32, kvHeads: u32, headDim: u32, window: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> partial: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<vec4f>;
@group(0) @binding(3) var<storage, read> sinks: array<elem>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4<elem>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = (group.y * grid.x + group.x) * THREADS + thread;
  let row = index / HEAD_WORDS;
  if (row >= shape.batch * shape.queries * shape.heads) { return; }
  let sink = f32(sinks[row % shape.heads]);
  var highest = sink;
  for (var split = row * SPLITS; split < (row + 1u) * SPLITS; split++) {
    highest = max(highest, stats[split].x);
  }
  var sum = vec4f();
  var total = exp(sink - highest);
  for (var split = row * SPLITS; split < (row + 1u) * SPLITS; split++) {
    let weight = stats[split].y * exp(stats[split].x - highest);
    total += weight;
    sum = fma(vec4f(weight), partial[split * HEAD_WORDS + index % HEAD_WORDS], sum);
  }
  o[index] = vec4<elem>(sum / total);
}
