// Each row divided by the root of the mean of its squares, and multiplied by a weight per column (Zhang & Sennrich,
// arXiv 1910.07467).  x, normed are (rows, columns), weight is (1, columns), rows padded to whole vec4s with zeros.
//
// Where ADD is 1 it is x + y that is divided, and written to `sum` besides: the residual connection and the norm after
// it in one pass. A workgroup takes a row.
//
// Where QUANTISE is 1, and columns are whole blocks of 32, it is also rounded to whole numbers of eight bits, in the
// places and with the scales that quantise.wgsl gives them for weights of BITS: the product that comes next finds its
// input ready.
//
// Prelude: elem, THREADS (a power of two), ADD, QUANTISE, BITS (4 or 8), CHUNK: the words that a thread takes at
// once, a block of them where it rounds them.

struct Shape { rows: u32, columns: u32, nanoEpsilon: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<elem>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<elem>>;
@group(0) @binding(3) var<storage, read_write> normed: array<vec4<elem>>;
@group(0) @binding(4) var<storage, read> y: array<vec4<elem>>;
@group(0) @binding(5) var<storage, read_write> sum: array<vec4<elem>>;
@group(0) @binding(6) var<storage, read_write> quants: array<vec4u>;
@group(0) @binding(7) var<storage, read_write> scales: array<f32>;

var<workgroup> squares: array<f32, THREADS>;

fn row_word(at: u32) -> vec4f {
  var word = vec4f(x[at]);
  for (var once = 0u; once < ADD; once++) { // unroll
    word += vec4f(y[at]);
  }
  return word;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.y * grid.x + group.x;
  if (row >= shape.rows) { return; }
  let words = (shape.columns + 3u) / 4u;
  let begin = row * words;

  var total = 0.0;
  for (var at = thread; at < words; at += THREADS) {
    let word = row_word(begin + at);
    total += dot(word, word);
  }
  squares[thread] = total;
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (thread < reach) { squares[thread] += squares[thread + reach]; }
  }
  workgroupBarrier();

  let scale = inverseSqrt(squares[0] / f32(shape.columns) + f32(shape.nanoEpsilon) * 1e-9);
  for (var chunk = thread * CHUNK; chunk < words; chunk += THREADS * CHUNK) {
    var result: array<vec4f, CHUNK>;
    for (var i = 0u; i < CHUNK; i++) { // unroll
      let at = chunk + i;
      let word = row_word(begin + at);
      for (var once = 0u; once < ADD; once++) { // unroll
        sum[begin + at] = vec4<elem>(word);
      }
      // As it is stored, so that it is rounded like what is read again.
      let stored = vec4<elem>(word * scale * vec4f(weight[at]));
      normed[begin + at] = stored;
      result[i] = vec4f(stored);
    }
    for (var once = 0u; once < QUANTISE; once++) { // unroll
      var largest = vec4f();
      for (var i = 0u; i < CHUNK; i++) { // unroll
        largest = max(largest, abs(result[i]));
      }
      let top = max(max(largest.x, largest.y), max(largest.z, largest.w));
      let inverse = select(0.0, 127 / top, top > 0.0);
      // Set to zero in so many words: without an initialiser it keeps its value from turn to turn in some browsers.
      var halves = array<vec4u, 2>();
      for (var i = 0u; i < CHUNK; i++) { // unroll
        let rounded = bitcast<vec4u>(vec4i(round(result[i] * inverse))) & vec4u(0xffu);
        if (BITS == 4u) {
          halves[i % 2u] |= rounded << vec4u(8u * (i / 2u));
        } else {
          halves[i / 4u] |= rounded << vec4u(8u * (i % 4u));
        }
      }
      let block = chunk / CHUNK;
      let blocks = words / CHUNK;
      quants[(row * blocks + block) * 2u] = halves[0];
      quants[(row * blocks + block) * 2u + 1u] = halves[1];
      scales[row * ((blocks + 3u) / 4u * 4u) + block] = top / 127;
    }
  }
}
