// Every variant of every kernel: its space, its names, what its stages bind and what its shaders become.

import { describe, expect, test } from "vitest";
import { type AnyShape, type KernelName, kernelOf, kernels } from "../../src/kernels";
import {
  type Choice,
  choiceName,
  defaultChoice,
  isChoice,
  neighbours,
  starts,
  variantOf,
} from "../../src/kernels/choices";
import { dtypes } from "../../src/kernels/elements";
import { outputsOf } from "../../src/kernels/kernel";
import { render } from "../../src/kernels/prelude";
import { callName, decode, modelConfig, modelIds, prefill } from "../../src/workloads";
import { callOf } from "./kernel_calls";

const names = Object.keys(kernels) as KernelName[];

/** Shapes with whole blocks of 32, for weights that come in them. */
const blocked: Partial<Record<KernelName, AnyShape>> = {
  matmul: { M: 2, N: 3, K: 64 },
  matvec: { M: 3, N: 7, K: 64 },
  swiglu: { M: 3, N: 7, K: 64 },
  expert_matvec: { tokens: 3, chosen: 2, sharing: 2, experts: 6, held: 3, until: 5, woken: 4, N: 7, K: 64 },
  expert_swiglu: { tokens: 3, chosen: 2, sharing: 2, experts: 6, held: 3, until: 5, woken: 4, N: 7, K: 64 },
  expert_matmul: { tokens: 30, chosen: 2, sharing: 1, experts: 6, held: 3, until: 5, woken: 6, N: 7, K: 64 },
  embed: { tokens: 3, vocab: 7, hidden: 64, piece: 1 },
  scaled_embed: { tokens: 3, vocab: 7, hidden: 64, piece: 1 },
};

describe.each(names)("%s", (name) => {
  const kernel = kernelOf(name);
  const { shape } = callOf(name);

  test("names the fields of its shape in order", () => {
    expect(Object.keys(shape)).toEqual(kernel.fields);
  });

  test("has no class of sizes alone: that is how the records of a probe's sweep are told", () => {
    expect(kernel.shapeClass(shape)).not.toMatch(/^[\dx]+$/);
  });

  test("has a name of its own for every start, and every start in its space", () => {
    const list = starts(kernel);
    expect(new Set(list.map((choice) => choiceName(kernel, choice))).size).toBe(list.length);
    expect(list.filter((choice) => !isChoice(kernel, choice))).toEqual([]);
    expect(defaultChoice(kernel)).toEqual(list[0]);
  });

  test("has neighbours one step away from each start, all in its space and named differently", () => {
    for (const choice of starts(kernel)) {
      for (const other of neighbours(kernel, choice)) {
        expect(isChoice(kernel, other)).toBe(true);
        expect(choiceName(kernel, other)).not.toBe(choiceName(kernel, choice));
        const changed = Object.keys(other.tuning).filter((key) => other.tuning[key] !== choice.tuning[key]);
        expect(changed).toHaveLength(1);
      }
    }
  });

  const cases = dtypes.flatMap((dtype) => {
    const given = kernel.unsupported?.(shape, dtype) === undefined ? shape : (blocked[name] ?? shape);
    if (kernel.unsupported?.(given, dtype) !== undefined) return [];
    return starts(kernel).flatMap((choice) =>
      variantOf(kernel, choice).unfit?.(choice.tuning, given, dtype) === undefined
        ? [{ title: `${dtype}, ${choiceName(kernel, choice)}`, dtype, choice, shape: given }]
        : [],
    );
  });

  test.each(cases)("$title: every stage binds what it declares", ({ dtype, choice, shape: given }) => {
    const variant = variantOf(kernel, choice);
    const stages = variant.stages(choice.tuning, given, dtype);
    const operands = kernel.operands(given, dtype);
    const scratch = variant.scratch?.(choice.tuning, given, dtype) ?? [];
    const roles = new Map([...operands, ...scratch].map(({ name: each, role }) => [each, role]));
    expect(roles.size).toBe(operands.length + scratch.length);
    const written = new Set<string>();
    for (const { shader, prelude, binds, workgroups } of stages) {
      const wgsl = variant.shaders[shader]!;
      const text = render(prelude, wgsl).code.replace(/\/\/.*/g, "");
      const all = [...wgsl.matchAll(/@binding\((\d)\) var<(uniform|storage, read(?:_write)?)> (\w+)/g)];
      // Of those with the same number a tuning uses one.
      const bindings = all.filter(
        ([, place, , variable]) =>
          all.filter(([, other]) => other === place).length === 1 ||
          text.match(RegExp(`\\b${variable}\\b`, "g"))!.length > 1,
      );
      // Bindings that only other tunings use come after those that this one has.
      const places = bindings.map(([, place]) => Number(place));
      expect(places.slice(0, binds.length + 1)).toEqual([0, ...binds.map((_, at) => at + 1)]);
      expect(bindings[0]![2]).toBe("uniform");
      const [, struct = ""] = /struct Shape \{([^}]*)\}/.exec(wgsl) ?? [];
      const declared = struct.split(",").map((field) => field.trim());
      const passed = [...kernel.fields, ...Object.keys(kernel.derived ?? {})];
      expect(declared).toEqual(passed.slice(0, declared.length).map((field) => `${field}: u32`));
      binds.forEach((bound, at) => {
        const writes = bindings[at + 1]![2] === "storage, read_write";
        // What is read is given, or was written by a stage before.
        if (!writes && roles.get(bound) === "scratch") expect(written).toContain(bound);
        else expect(writes, bound).toBe(["output", "scratch"].includes(roles.get(bound) ?? "nothing"));
        if (writes) written.add(bound);
      });
      expect(Number.isInteger(workgroups)).toBe(true);
      expect(workgroups).toBeGreaterThan(0);
    }
    const outputs = outputsOf(operands);
    expect(outputs.length).toBeGreaterThan(0);
    expect(operands.slice(-outputs.length)).toEqual(outputs);
    expect(written).toEqual(new Set([...scratch, ...outputs].map((each) => each.name)));
  });

  test.each(cases)("$title: its shaders render", ({ dtype, choice, shape: given }) => {
    const variant = variantOf(kernel, choice);
    for (const { shader, prelude } of variant.stages(choice.tuning, given, dtype)) {
      const wgsl = variant.shaders[shader]!;
      const { code, lines } = render(prelude, wgsl);
      const text = code.split("\n");
      const file = wgsl.split("\n");
      expect(code).not.toContain("// unroll");
      expect(code.split("{")).toHaveLength(code.split("}").length);
      for (const constant of Object.keys(prelude.constants!))
        expect(wgsl).toMatch(RegExp(`\\b${constant}\\b`));
      expect(lines).toHaveLength(text.length);
      // Unrolling changes words only: without them a line is that of the file, or the brace of a loop.
      const marks = (line: string) => line.replace(/\w+/g, "").trim();
      const came = text.map((line, at) => ({ line, source: file[lines[at]! - 1] }));
      const head = came.filter(({ source }) => source === undefined).map(({ line }) => line);
      expect(head.join("\n")).toMatch(/^((enable \w+;|alias \w+ = [\w<>]+;|const \w+ = \d+u;)\n?)+$/);
      for (const { line, source } of came) {
        if (source?.endsWith("// unroll")) expect(line).toBe("{");
        else if (source !== undefined) expect(marks(line)).toBe(marks(source));
      }
    }
  });
});

describe("every call of every model", () => {
  const modelCalls = new Map(
    modelIds
      .flatMap((id) => [
        prefill(id, modelConfig(id), 512, 0),
        decode(id, modelConfig(id), 128, 4096, 1),
        decode(id, modelConfig(id), 128, 4096, 8),
        decode(id, modelConfig(id), 128, 4096, 32),
      ])
      .flatMap(({ steps }) => steps.map(({ call }) => [callName(call), call] as const)),
  );

  test.each(dtypes)("has a way to compute it within the limits that every device has, in %s", (dtype) => {
    const homeless = [...modelCalls.values()].filter(({ kernel: name, shape }) => {
      const kernel = kernelOf(name);
      const everywhere = (choice: Choice) => {
        const variant = variantOf(kernel, choice);
        if (variant.unfit?.(choice.tuning, shape, dtype) !== undefined) return false;
        const { threads, workgroupStorage, ...features } = variant.demand(choice.tuning, shape, dtype);
        return threads <= 256 && workgroupStorage <= 16_384 && Object.keys(features).length === 0;
      };
      return kernel.unsupported?.(shape, dtype) !== undefined || !starts(kernel).some(everywhere);
    });
    expect(homeless.map(callName)).toEqual([]);
  });
});
