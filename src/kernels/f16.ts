// IEEE half precision on the CPU. Float16Array is not in every browser that has WebGPU yet.

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The bits of a number that f16 holds exactly: normal, or zero. Others are truncated. */
export function f16Bits(value: number): number {
  word[0] = value;
  const b = bits[0]!;
  const exponent = ((b >>> 23) & 0xff) - 112;
  if (exponent <= 0) return (b >>> 16) & 0x8000;
  return ((b >>> 16) & 0x8000) | (exponent << 10) | ((b >>> 13) & 0x3ff);
}

/** The number that 16 bits stand for. */
export function f16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
