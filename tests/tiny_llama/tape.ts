// What it takes to train a Llama of two layers: matrices that remember how they were made, and the gradients back
// through each step. Nothing here knows the kernels that the model is to test.

export interface Value {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
  /** Of the loss, once `backward` was called on it. */
  readonly grad: Float64Array;
}

export const value = (rows: number, columns: number, data = new Float64Array(rows * columns)): Value => ({
  rows,
  columns,
  data,
  grad: new Float64Array(rows * columns),
});

/** Operations in order, each with what it adds to the gradients of its inputs. */
export class Tape {
  readonly #back: (() => void)[] = [];

  backward(): void {
    for (const back of this.#back.reverse()) back();
  }

  /** x·Wᵀ */
  linear(x: Value, w: Value): Value {
    const y = value(x.rows, w.rows);
    const K = x.columns;
    for (let i = 0; i < x.rows; i++) {
      for (let j = 0; j < w.rows; j++) {
        let sum = 0;
        for (let k = 0; k < K; k++) sum += x.data[i * K + k]! * w.data[j * K + k]!;
        y.data[i * w.rows + j] = sum;
      }
    }
    this.#back.push(() => {
      for (let i = 0; i < x.rows; i++) {
        for (let j = 0; j < w.rows; j++) {
          const grad = y.grad[i * w.rows + j]!;
          if (grad === 0) continue;
          for (let k = 0; k < K; k++) {
            x.grad[i * K + k]! += grad * w.data[j * K + k]!;
            w.grad[j * K + k]! += grad * x.data[i * K + k]!;
          }
        }
      }
    });
    return y;
  }

  add(a: Value, b: Value): Value {
    const y = value(
      a.rows,
      a.columns,
      a.data.map((each, i) => each + b.data[i]!),
    );
    this.#back.push(() => {
      y.grad.forEach((grad, i) => {
        a.grad[i]! += grad;
        b.grad[i]! += grad;
      });
    });
    return y;
  }

  /** Rows of a table. */
  embed(table: Value, tokens: readonly number[]): Value {
    const { columns } = table;
    const y = value(tokens.length, columns);
    tokens.forEach((token, i) => {
      y.data.set(table.data.subarray(token * columns, (token + 1) * columns), i * columns);
    });
    this.#back.push(() => {
      tokens.forEach((token, i) => {
        for (let k = 0; k < columns; k++) table.grad[token * columns + k]! += y.grad[i * columns + k]!;
      });
    });
    return y;
  }

  norm(x: Value, weight: Value, epsilon: number): Value {
    const { rows, columns } = x;
    const y = value(rows, columns);
    const scales = Float64Array.from({ length: rows }, (_, i) => {
      const row = x.data.subarray(i * columns, (i + 1) * columns);
      return 1 / Math.sqrt(row.reduce((sum, each) => sum + each * each, 0) / columns + epsilon);
    });
    for (let i = 0; i < y.data.length; i++)
      y.data[i] = x.data[i]! * scales[Math.floor(i / columns)]! * weight.data[i % columns]!;
    this.#back.push(() => {
      for (let row = 0; row < rows; row++) {
        const scale = scales[row]!;
        let along = 0;
        for (let k = 0; k < columns; k++) {
          const i = row * columns + k;
          along += y.grad[i]! * weight.data[k]! * x.data[i]!;
          weight.grad[k]! += y.grad[i]! * x.data[i]! * scale;
        }
        for (let k = 0; k < columns; k++) {
          const i = row * columns + k;
          x.grad[i]! +=
            scale * (y.grad[i]! * weight.data[k]! - (x.data[i]! * scale * scale * along) / columns);
        }
      }
    });
    return y;
  }

  /** silu(gate) ∘ up */
  gated(gate: Value, up: Value): Value {
    const y = value(gate.rows, gate.columns);
    const sigmoid = gate.data.map((each) => 1 / (1 + Math.exp(-each)));
    for (let i = 0; i < y.data.length; i++) y.data[i] = gate.data[i]! * sigmoid[i]! * up.data[i]!;
    this.#back.push(() => {
      y.grad.forEach((grad, i) => {
        const [g, s] = [gate.data[i]!, sigmoid[i]!];
        up.grad[i]! += grad * g * s;
        gate.grad[i]! += grad * up.data[i]! * s * (1 + g * (1 - s));
      });
    });
    return y;
  }

  /** Each head's halves rotated against each other, by position. */
  rope(x: Value, headDim: number, theta: number): Value {
    const y = value(x.rows, x.columns);
    const half = headDim / 2;
    const turn = (from: Float64Array, to: Float64Array, sign: number) => {
      for (let row = 0; row < x.rows; row++) {
        for (let first = 0; first < x.columns; first += headDim) {
          for (let i = 0; i < half; i++) {
            const angle = row * theta ** ((-2 * i) / headDim);
            const [cos, sin] = [Math.cos(angle), sign * Math.sin(angle)];
            const [a, b] = [row * x.columns + first + i, row * x.columns + first + half + i];
            to[a]! += from[a]! * cos - from[b]! * sin;
            to[b]! += from[b]! * cos + from[a]! * sin;
          }
        }
      }
    };
    turn(x.data, y.data, 1);
    this.#back.push(() => turn(y.grad, x.grad, -1));
    return y;
  }

  /** Each token looks at itself and those before it. */
  attention(q: Value, k: Value, v: Value, headDim: number): Value {
    const y = value(q.rows, q.columns);
    const shared = q.columns / k.columns;
    const root = Math.sqrt(headDim);
    for (let head = 0; head < q.columns / headDim; head++) {
      const [own, theirs] = [head * headDim, Math.floor(head / shared) * headDim];
      for (let i = 0; i < q.rows; i++) {
        const scores = Float64Array.from({ length: i + 1 }, (_, j) => {
          let sum = 0;
          for (let d = 0; d < headDim; d++)
            sum += q.data[i * q.columns + own + d]! * k.data[j * k.columns + theirs + d]!;
          return sum / root;
        });
        const most = Math.max(...scores);
        const exps = scores.map((score) => Math.exp(score - most));
        const total = exps.reduce((a, b) => a + b);
        const shares = exps.map((each) => each / total);
        shares.forEach((share, j) => {
          for (let d = 0; d < headDim; d++)
            y.data[i * q.columns + own + d]! += share * v.data[j * v.columns + theirs + d]!;
        });
        this.#back.push(() => {
          const grads = shares.map((share, j) => {
            let sum = 0;
            for (let d = 0; d < headDim; d++) {
              const grad = y.grad[i * q.columns + own + d]!;
              sum += grad * v.data[j * v.columns + theirs + d]!;
              v.grad[j * v.columns + theirs + d]! += share * grad;
            }
            return sum;
          });
          const mean = grads.reduce((sum, grad, j) => sum + grad * shares[j]!, 0);
          grads.forEach((grad, j) => {
            const score = (shares[j]! * (grad - mean)) / root;
            for (let d = 0; d < headDim; d++) {
              q.grad[i * q.columns + own + d]! += score * k.data[j * k.columns + theirs + d]!;
              k.grad[j * k.columns + theirs + d]! += score * q.data[i * q.columns + own + d]!;
            }
          });
        });
      }
    }
    return y;
  }

  /** The mean surprise at what comes next, the first of it aside, which nothing tells. */
  surprise(logits: Value, next: readonly number[]): number {
    const { rows, columns } = logits;
    let loss = 0;
    const shares = next.map((token, i) => {
      const row = logits.data.subarray(i * columns, (i + 1) * columns);
      const most = row.reduce((a, b) => Math.max(a, b));
      const exps = row.map((each) => Math.exp(each - most));
      const total = exps.reduce((a, b) => a + b);
      if (i > 0) loss -= Math.log(exps[token]! / total) / (rows - 1);
      return exps.map((each) => each / total);
    });
    this.#back.push(() => {
      next.forEach((token, i) => {
        for (let k = 0; i > 0 && k < columns; k++)
          logits.grad[i * columns + k]! += (shares[i]![k]! - Number(k === token)) / (rows - 1);
      });
    });
    return loss;
  }
}
