// From a shader file and its parameters to the text that is compiled. Shader files are plain WGSL. What
// is added is a prelude of `enable`, `alias` and `const` lines; what is changed is that loops marked
// "// unroll" are written out.

import type { Prelude } from "./kernel";

export interface Source {
  readonly code: string;
  /** For each line of the code the line of the shader file it comes from; 0 for the prelude's. */
  readonly lines: readonly number[];
}

interface Line {
  readonly text: string;
  readonly number: number;
}

const LOOP = /^\s*for \(var (\w+) = (\w+); \1 < (\w+); (?:\1\+\+|\1 \+= (\w+))\) \{ \/\/ unroll$/;

/**
 * Writes out the loops marked "// unroll". Their bounds are literals or constants of the prelude. An
 * array that is indexed by constants only can live in registers; compilers of software adapters unroll
 * nothing by themselves (measured: matmul 1.3 -> 8.7 GFLOP/s), and D3D's unroll late.
 */
function unroll(lines: readonly Line[], constants: Readonly<Record<string, number>>): Line[] {
  const value = (word: string): number => {
    const literal = /^(\d+)u?$/.exec(word)?.[1];
    const found = literal === undefined ? constants[word] : Number(literal);
    if (found === undefined)
      throw new Error(`unroll: ${word} is neither a number nor a constant of the prelude`);
    return found;
  };
  const out: Line[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const loop = LOOP.exec(line.text);
    if (loop === null) {
      out.push(line);
      continue;
    }
    const [, name = "", from = "", to = "", step = "1"] = loop;
    let end = i;
    for (let depth = 1; depth > 0; ) {
      const next = lines[++end];
      if (next === undefined) throw new Error(`unroll: the loop of line ${line.number} does not end`);
      depth += (next.text.match(/\{/g)?.length ?? 0) - (next.text.match(/\}/g)?.length ?? 0);
    }
    const body = lines.slice(i + 1, end);
    const variable = new RegExp(`\\b${name}\\b`, "g");
    for (let at = value(from); at < value(to); at += value(step)) {
      const copy = body.map(({ text, number }) => ({ text: text.replace(variable, `${at}u`), number }));
      out.push({ text: "{", number: line.number }, ...unroll(copy, constants), {
        text: "}",
        number: lines[end]!.number,
      });
    }
    i = end;
  }
  return out;
}

/** The text to compile. WGSL directives must come first, so the whole prelude goes before the shader. */
export function render({ enable = [], alias = {}, constants = {} }: Prelude, wgsl: string): Source {
  const head = [
    ...enable.map((extension) => `enable ${extension};`),
    ...Object.entries(alias).map(([name, type]) => `alias ${name} = ${type};`),
    ...Object.entries(constants).map(([name, value]) => `const ${name} = ${value}u;`),
  ].map((text): Line => ({ text, number: 0 }));
  const body = wgsl.split("\n").map((text, i): Line => ({ text, number: i + 1 }));
  const lines = [...head, ...unroll(body, constants)];
  return { code: lines.map(({ text }) => text).join("\n"), lines: lines.map(({ number }) => number) };
}

const MATRIX_LOAD = /subgroupMatrixLoad<(\w+), (row|col)_major>\((&\w+), (.+), ([^,()]+)\);/g;
const MATRIX_STORE = /subgroupMatrixStore<(row|col)_major>\((&\w+), (.+), ([^,()]+), ([^,()]+)\);/g;

/**
 * Loads and stores of subgroup matrices as Chromium read them at first: the order of elements as an argument. One to
 * a line; strides are names or products of them.
 */
export const olderMatrixSyntax = (code: string): string =>
  code
    .replace(
      MATRIX_LOAD,
      (_, type, order, from, offset, stride) =>
        `subgroupMatrixLoad<${type}>(${from}, ${offset}, ${order === "col"}, ${stride});`,
    )
    .replace(
      MATRIX_STORE,
      (_, order, to, offset, matrix, stride) =>
        `subgroupMatrixStore(${to}, ${offset}, ${matrix}, ${order === "col"}, ${stride});`,
    );

/**
 * Folds a number of workgroups into a grid that respects the limit per dimension. Shaders find
 * their number as `group.y * grid.x + group.x` and return when it is past the last.
 */
export function gridOf(workgroups: number, limit = 65_535): readonly [number, number] {
  if (workgroups <= limit) return [workgroups, 1];
  const y = Math.ceil(workgroups / limit);
  return [Math.ceil(workgroups / y), y];
}
