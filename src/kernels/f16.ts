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

/** The bits of the f16 nearest to a number, the even one of two; infinite beyond its range. */
export function f16Rounded(value: number): number {
  word[0] = value;
  const b = bits[0]!;
  const sign = (b >>> 16) & 0x8000;
  const size = b & 0x7fffffff;
  if (size > 0x7f800000) return 0x7e00;
  // Half way from the largest number to the next there would be.
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  // Below the smallest normal number steps are 2^-24.
  const steps = Math.abs(word[0]!) * 2 ** 24;
  const down = Math.floor(steps);
  const up = steps - down > 0.5 || (steps - down === 0.5 && down % 2 === 1);
  return sign | (down + Number(up));
}
