// The arrows of DESIGN.md: who may import whom, and what runs anywhere.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseSync } from "vite";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** Folders of src/ and its top-level files, and what they may import beside themselves; app and cli may import anything. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  kernels: ["shaders"],
  workloads: ["kernels"],
  names: [],
  plan: ["workloads", "kernels", "names"],
  effort: ["plan"],
  bounds: [],
  timing: ["bounds", "statistics"],
  forward_result: ["plan", "workloads", "kernels", "timing", "bounds"],
  training_result: ["plan", "workloads", "forward_result", "timing", "bounds"],
  result: ["plan", "workloads", "result_migration", "forward_result", "training_result", "timing", "bounds"],
  result_migration: [],
  tuning_records: ["plan", "result", "bounds"],
  statistics: [],
  chips: ["kernels"],
  prices: ["workloads"],
  analysis: [
    "result",
    "forward_result",
    "training_result",
    "timing",
    "statistics",
    "effort",
    "workloads",
    "kernels",
    "chips",
  ],
  report: [
    "analysis",
    "result",
    "forward_result",
    "training_result",
    "timing",
    "statistics",
    "chips",
    "prices",
    "units",
    "names",
  ],
  engine: [
    "effort",
    "result",
    "forward_result",
    "training_result",
    "timing",
    "tuning_records",
    "statistics",
    "plan",
    "workloads",
    "kernels",
  ],
  peers: ["engine", "result", "statistics", "kernels", "report", "units"],
  units: [],
};
const pure = [
  "names",
  "bounds",
  "effort",
  "timing",
  "statistics",
  "analysis",
  "report",
  "chips",
  "prices",
  "workloads",
  "kernels",
];
const engineHosts = [
  "src/app/worker.ts",
  "src/cli/node_host.ts",
  ...["main", "own", "own_probes", "compare_task"].map((name) => `src/peers/${name}.ts`),
];
/** Of peers, what the command line loads: plain data and tables. The rest is for the page. */
const peersForAll = ["src/peers/peers_report", "src/peers/peers_result", "src/peers/tasks"];

type Node = { readonly type: string; readonly [key: string]: unknown };

function* nodes(value: unknown): Generator<Node> {
  if (typeof value !== "object" || value === null) return;
  if ("type" in value && typeof value.type === "string") yield value as Node;
  for (const child of Object.values(value)) yield* nodes(child);
}

/** The module an import, re-export, dynamic import, import type, glob or worker URL names; undefined for other nodes. */
function named(node: Node): unknown {
  const { type, source } = node as { type: string; source?: { value?: unknown } | null };
  if (/^(Import|Export(All|Named))Declaration$|^(ImportExpression|TSImportType)$/.test(type))
    return source?.value;
  const { callee, arguments: given } = node as {
    callee?: { name?: string; object?: { type?: string } };
    arguments?: { value?: unknown }[];
  };
  const loads =
    (type === "NewExpression" && callee?.name === "URL") ||
    (type === "CallExpression" && callee?.object?.type === "MetaProperty");
  return loads && String(given?.[0]?.value).startsWith(".") ? given?.[0]?.value : undefined;
}

const stem = (path: string) => path.replace(/^src\//, "").replace(/[/.].*$/, "");

const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
  .map((name) => {
    const path = `src/${name.replaceAll("\\", "/")}`;
    const { program, errors } = parseSync(path, readFileSync(join(root, path), "utf8"));
    if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
    return { path, place: stem(path), ast: [...nodes(program)] };
  });

const imports = files.flatMap(({ path, place, ast }) =>
  ast.flatMap((node) => {
    const from = named(node);
    if (typeof from !== "string") return [];
    const to = from.startsWith(".") ? relative(root, join(root, dirname(path), from)) : from;
    const typeOnly = [node.importKind, node.exportKind].includes("type") || node.type === "TSImportType";
    const specifiers = (node.specifiers ?? []) as { imported?: { name?: string } }[];
    const names = specifiers.map(({ imported }) => imported?.name);
    return [{ path, place, from, to, target: from.startsWith(".") ? stem(to) : undefined, typeOnly, names }];
  }),
);
type Import = (typeof imports)[number];

/** Each import for which `wrong` holds, as it reads in the file. */
const offenders = (wrong: (each: Import) => boolean) =>
  imports.filter(wrong).map(({ path, from, names }) => `${path}: { ${names.join(", ")} } from "${from}"`);

test("every kind of import is seen", () => {
  const seen = imports.map(({ path, to, typeOnly }) => `${path} ${typeOnly ? "type " : ""}${to}`);
  expect(seen).toContain("src/kernels/fma.ts shaders/fma.wgsl?raw");
  expect(seen).toContain("src/engine/host.ts type src/result");
  expect(seen).toContain("src/workloads/index.ts src/workloads/model");
  expect(seen).toContain("src/chips/index.ts src/chips/*.json");
  expect(seen).toContainEqual(expect.stringMatching(/^src\/app\/\w+\.ts src\/app\/worker\.ts$/));
  expect(seen).toContain("src/cli/node_host.ts webgpu");
});

test("every file belongs to a stage", () => {
  expect(files.filter(({ place }) => !["app", "cli", ...Object.keys(arrows)].includes(place))).toEqual([]);
});

test("imports follow the arrows", () => {
  expect(
    offenders(({ place, target, to }) => {
      if (target === undefined || target === place || place === "app" || place === "cli") return false;
      if (target === "shaders" && !/^shaders\/\w+\.wgsl\?raw$/.test(to)) return true;
      return !arrows[place]?.includes(target);
    }),
  ).toEqual([]);
});

test("chips take only the type DType from kernels", () => {
  const wrong = ({ typeOnly, names }: Import) => !typeOnly || names.join() !== "DType";
  expect(offenders((each) => each.place === "chips" && each.target === "kernels" && wrong(each))).toEqual([]);
});

test("the product takes what calibration wrote, never calibration itself", () => {
  expect(offenders(({ target }) => target === "calibration")).toEqual([]);
});

test("only the hosts and the peers' page load the engine", () => {
  expect(
    offenders(
      ({ path, place, target, typeOnly }) =>
        place !== "engine" && target === "engine" && !typeOnly && !engineHosts.includes(path),
    ),
  ).toEqual([]);
});

test("other runtimes are in the peers' page and nowhere else", () => {
  const runtimes = /^(onnxruntime|@tensorflow|@jax-js)/;
  const using = imports.filter(({ from }) => runtimes.test(from)).map(({ path }) => path);
  expect(new Set(using)).toEqual(
    new Set(["src/peers/onnxruntime.ts", "src/peers/tensorflow.ts", "src/peers/jax.ts"]),
  );
  expect(
    offenders(
      ({ place, target, to, typeOnly }) =>
        place !== "peers" &&
        target === "peers" &&
        !typeOnly &&
        !(place === "cli" && peersForAll.includes(to)),
    ),
  ).toEqual([]);
});

test("only the command line uses Node's modules", () => {
  expect(offenders(({ place, from }) => place !== "cli" && from.startsWith("node:"))).toEqual([]);
});

test("what comes before and after the engine knows no GPU, no page and no process", () => {
  const globals = ["document", "window", "navigator", "process"];
  const uses = files.flatMap(({ path, place, ast }) =>
    ast.flatMap((node) => {
      const { name } = (node.type === "MemberExpression" ? node.object : node) as { name?: string };
      const wrong =
        node.type === "MemberExpression" ? globals.includes(name ?? "") : /^GPU[A-Z]/.test(name ?? "");
      return pure.includes(place) && wrong ? [`${path}: ${name}`] : [];
    }),
  );
  expect(uses).toEqual([]);
});
