// A GPU that exists in simulated time only: as much of WebGPU as the engine uses. What kernels compute is their
// float64 reference; what they cost is the hardware's secret. Everything random comes from the hardware's seed.

import type { Host } from "../../src/engine/host";
import { alwaysVisible } from "../../src/engine/host";
import { type AnyShape, type KernelName, kernelOf } from "../../src/kernels";
import type { Matrix } from "../../src/kernels/kernel";
import { strideOf } from "../../src/kernels/kernel";
import { randomAt } from "../../src/kernels/random";
import { SimulatedClock } from "./clock";
import { chance, type Hardware } from "./hardware";

// What a browser has as globals.
Object.assign(globalThis, {
  GPUBufferUsage: { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128, QUERY_RESOLVE: 512 },
  GPUMapMode: { READ: 1 },
});

/** Host time of the calls that matter: what an encoder's work costs a real browser, roughly. */
const HOST = { dispatch: 0.8e-6, encoder: 4e-6, submit: 20e-6, map: 10e-6 };

// Small bindings make small probes, whose every element is computed here.
const LIMITS = {
  maxBufferSize: 2 ** 18,
  maxStorageBufferBindingSize: 2 ** 18,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 32_768,
  maxComputeWorkgroupsPerDimension: 65_535,
};

interface Binding {
  readonly buffer: Buffer;
  readonly offset?: number;
}

/** A write that nobody has looked at yet. */
interface Pending {
  readonly pipeline: Pipeline;
  readonly bindings: readonly Binding[];
}

interface Pipeline {
  readonly kernel: KernelName;
  ran: boolean;
}

interface Pass {
  readonly pipeline: Pipeline;
  readonly bindings: readonly Binding[];
  readonly dispatches: number;
  readonly stamps: { readonly set: QuerySet; readonly begin: number; readonly end: number } | undefined;
}

type Command =
  | { readonly kind: "pass"; readonly pass: Pass }
  | { readonly kind: "resolve"; readonly set: QuerySet; readonly count: number; readonly to: Buffer }
  | { readonly kind: "copy"; readonly from: Buffer; readonly to: Buffer; readonly size: number };

interface QuerySet {
  readonly values: BigInt64Array;
}

/** One pass as it really was. */
export interface Executed {
  readonly kernel: KernelName;
  readonly dispatches: number;
  readonly begin: number;
  readonly end: number;
}

class Buffer {
  #bytes: ArrayBuffer | undefined;
  /** The stream of random numbers that fills it, which are made when they are asked for. */
  stream: number | undefined;
  pending: Pending | undefined;
  destroyed = false;

  constructor(
    readonly size: number,
    readonly device: Device,
  ) {}

  get bytes(): ArrayBuffer {
    this.#bytes ??= new ArrayBuffer(this.size);
    return this.#bytes;
  }

  write(offset: number, data: ArrayBufferView): void {
    this.pending = undefined;
    new Uint8Array(this.bytes).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
  }

  /** The element of f32 at an index from an offset in bytes. */
  at(offset: number, index: number): number {
    const element = offset / 4 + index;
    if (this.stream !== undefined) return randomAt(this.stream, element);
    return new Float32Array(this.bytes)[element] ?? Number.NaN;
  }

  mapAsync(): Promise<void> {
    return this.device.whenDone(HOST.map);
  }

  getMappedRange(offset = 0, size = this.size): ArrayBuffer {
    return this.bytes.slice(offset, offset + size);
  }

  unmap(): void {}

  destroy(): void {
    if (!this.destroyed) this.device.live.delete(this);
    this.destroyed = true;
  }
}

/** Computes what a dispatch has written: every element, by the kernel's own reference. */
function materialise({ pipeline, bindings }: Pending, hardware: Hardware): void {
  const kernel = kernelOf(pipeline.kernel);
  const [uniformBinding, ...operandBindings] = bindings;
  const shape = shapeOf(pipeline.kernel, uniformBinding!.buffer);
  const operands = kernel.operands(shape, "f32");
  const output = operands.at(-1)!;
  const target = operandBindings.at(-1)!.buffer;
  const inputs = operands.slice(0, -1).map((operand, i): Matrix => {
    const { buffer, offset = 0 } = operandBindings[i]!;
    const stride = strideOf(operand.columns);
    return (row, column) => buffer.at(offset, row * stride + column);
  });
  const columns = Array.from({ length: output.columns }, (_, column) => column);
  const stride = strideOf(output.columns);
  const out = new Float32Array(target.bytes);
  // The recurrences of fma start alike every 64 invocations.
  const period = pipeline.kernel === "fma" ? Math.min(64, output.rows) : output.rows;
  for (let row = 0; row < output.rows; row++) {
    if (row >= period) {
      out.copyWithin(row * stride, (row % period) * stride, (row % period) * stride + stride);
      continue;
    }
    kernel.reference(shape, inputs, row, columns, "f32").forEach(({ value }, column) => {
      out[row * stride + column] = hardware.computes(pipeline.kernel, value, row, column);
    });
  }
}

function shapeOf(kernel: KernelName, uniform: Buffer): AnyShape {
  const values = new Uint32Array(uniform.bytes);
  return Object.fromEntries(kernelOf(kernel).fields.map((field, i) => [field, values[i] ?? 0]));
}

/** The clock of the GPU and what it has done; it outlives devices that are lost. */
export class Machine {
  readonly executed: Executed[] = [];
  /** When the GPU will have done all that was submitted. */
  free = 0;
  #worked = 0;
  readonly #chance;

  constructor(
    readonly hardware: Hardware,
    readonly clock: SimulatedClock,
  ) {
    this.#chance = chance(hardware.seed);
  }

  /** Runs a pass after everything before it; its true begin and end. */
  run({ pipeline, bindings, dispatches }: Pass): { begin: number; end: number; fault: string | undefined } {
    const { hardware, clock } = this;
    const begin = Math.max(this.free, clock.exact);
    const shape = shapeOf(pipeline.kernel, bindings[0]!.buffer);
    const fault = hardware.fault(pipeline.kernel, shape);
    const { random, normal, exponential } = this.#chance;
    const spread = hardware.noise * (random() < hardware.heavyShare ? 5 : 1);
    const noise = Math.max(0.2, 1 + spread * normal());
    const rising = hardware.rampSeconds > 0 ? Math.max(0, 1 - this.#worked / hardware.rampSeconds) : 0;
    let seconds =
      dispatches * hardware.cost(pipeline.kernel, shape) * noise * (1 + rising) * hardware.slowness(begin);
    const { rate, seconds: mean } = hardware.interruptions;
    if (rate > 0 && random() < rate * seconds) seconds += exponential(mean);
    if (!pipeline.ran) seconds += hardware.firstRunSeconds;
    pipeline.ran = true;
    this.#worked += seconds;
    const end = begin + hardware.passSeconds + seconds;
    this.free = fault === "hang" ? Number.POSITIVE_INFINITY : end;
    this.executed.push({ kernel: pipeline.kernel, dispatches, begin, end });
    return { begin, end, fault };
  }

  /** The time at which the end of all work is told. */
  told(): number {
    const { completionFloor, polled } = this.hardware;
    const done = Math.max(this.free, this.clock.exact);
    // The timer's phase has nothing to do with the work's.
    return polled
      ? (Math.floor(done / completionFloor + 0.618) + 0.382 + 1e-9) * completionFloor
      : done + completionFloor;
  }

  /** What the timestamps of a pass say. */
  stamp(begin: number, end: number): [bigint, bigint] {
    const { badStamps, timestampQuantum } = this.hardware;
    const step = timestampQuantum ?? 1e-9;
    const nanoseconds = (seconds: number) => BigInt(Math.round(Math.floor(seconds / step) * step * 1e9));
    const bad = badStamps !== null && this.#chance.random() < badStamps.share ? badStamps.kind : undefined;
    if (bad === "negative") return [nanoseconds(end), nanoseconds(begin)];
    if (bad === "zero") return [0n, 0n];
    // Passes that a tiler runs as one: each is told the time of several.
    if (bad === "merged") return [nanoseconds(begin - 2 * (end - begin)), nanoseconds(end)];
    return [nanoseconds(begin), nanoseconds(end)];
  }
}

/** A device: buffers, encoders, a queue, error scopes, and an end. */
class Device {
  readonly lost: Promise<{ reason: string; message: string }>;
  readonly features: Set<string>;
  readonly live = new Set<Buffer>();
  readonly queue;
  #lose: (info: { reason: string; message: string }) => void = () => {};
  #gone = false;
  readonly #scopes: { filter: string; error: { message: string } | null }[] = [];

  constructor(
    readonly machine: Machine,
    features: readonly string[],
  ) {
    this.features = new Set(features);
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
    const { clock } = machine;
    this.queue = {
      submit: (lists: readonly { commands: readonly Command[] }[]) => {
        clock.work(HOST.submit);
        if (this.#gone) return;
        for (const { commands } of lists) for (const command of commands) this.#execute(command);
      },
      writeBuffer: (buffer: Buffer, offset: number, data: ArrayBufferView) => buffer.write(offset, data),
      onSubmittedWorkDone: () => this.whenDone(0),
    };
  }

  #execute(command: Command): void {
    const { machine } = this;
    if (command.kind === "copy") {
      const { from, to, size } = command;
      if (from.pending !== undefined) materialise(from.pending, machine.hardware);
      from.pending = undefined;
      new Uint8Array(to.bytes).set(new Uint8Array(from.bytes, 0, size));
    } else if (command.kind === "resolve") {
      new BigInt64Array(command.to.bytes).set(command.set.values.subarray(0, command.count));
    } else {
      const { pass } = command;
      const { begin, end, fault } = machine.run(pass);
      if (fault === "loss") machine.clock.at(end, () => this.lose("the driver was reset"));
      if (pass.stamps !== undefined) {
        const { set, begin: first, end: last } = pass.stamps;
        [set.values[first], set.values[last]] = machine.stamp(begin, end);
      }
      const output = pass.bindings.at(-1)!.buffer;
      const pending = { pipeline: pass.pipeline, bindings: pass.bindings };
      if (pass.pipeline.kernel === "fill") {
        const values = new Uint32Array(pass.bindings[0]!.buffer.bytes);
        output.stream = values[1];
      } else output.pending = pending;
    }
  }

  /** Resolves when the end of everything submitted so far is told; never, where the device goes first. */
  whenDone(work: number): Promise<void> {
    this.machine.clock.work(work);
    const told = this.machine.told();
    return new Promise((resolve, reject) => {
      if (this.#gone) reject(new Error("the device is lost"));
      else if (Number.isFinite(told)) {
        this.machine.clock.at(told, () => {
          if (!this.#gone) resolve();
        });
      }
    });
  }

  lose(message: string, reason = "unknown"): void {
    if (this.#gone) return;
    this.#gone = true;
    this.live.clear();
    this.machine.free = Math.min(this.machine.free, this.machine.clock.exact);
    this.#lose({ reason, message });
  }

  destroy(): void {
    this.lose("Device was destroyed.", "destroyed");
  }

  pushErrorScope(filter: string): void {
    this.#scopes.push({ filter, error: null });
  }

  popErrorScope(): Promise<{ message: string } | null> {
    const error = this.#scopes.pop()?.error ?? null;
    return new Promise((resolve) => this.machine.clock.after(50e-6, () => resolve(error)));
  }

  createBuffer({ size }: { size: number }): Buffer {
    const buffer = new Buffer(size, this);
    this.live.add(buffer);
    const total = [...this.live].reduce((sum, each) => sum + each.size, 0);
    const scope = this.#scopes.findLast(({ filter }) => filter === "out-of-memory");
    if (total > this.machine.hardware.memory && scope !== undefined)
      scope.error = { message: "out of memory" };
    return buffer;
  }

  createQuerySet({ count }: { count: number }) {
    return { values: new BigInt64Array(count), destroy() {} };
  }

  createShaderModule({ label }: { label: KernelName }) {
    const error = this.machine.hardware.compileError(label);
    const messages = error === undefined ? [] : [{ type: "error", message: error, lineNum: 1 }];
    return { error, getCompilationInfo: () => Promise.resolve({ messages }) };
  }

  createComputePipelineAsync(descriptor: { label: KernelName; compute: { module: { error?: string } } }) {
    const { label: kernel, compute } = descriptor;
    const pipeline = { kernel, ran: false, getBindGroupLayout: () => ({}) };
    return new Promise((resolve, reject) => {
      this.machine.clock.after(5e-3, () =>
        compute.module.error === undefined ? resolve(pipeline) : reject(new Error("pipeline failed")),
      );
    });
  }

  createBindGroup({ entries }: { entries: readonly { resource: Binding }[] }) {
    return { bindings: entries.map(({ resource }) => resource) };
  }

  createCommandEncoder() {
    const { clock } = this.machine;
    clock.work(HOST.encoder);
    const commands: Command[] = [];
    return {
      beginComputePass(descriptor?: {
        timestampWrites?: {
          querySet: QuerySet;
          beginningOfPassWriteIndex: number;
          endOfPassWriteIndex: number;
        };
      }) {
        let pipeline: Pipeline | undefined;
        let bindings: readonly Binding[] = [];
        let dispatches = 0;
        return {
          setPipeline(given: Pipeline) {
            pipeline = given;
          },
          setBindGroup(_index: number, group: { bindings: readonly Binding[] }) {
            bindings = group.bindings;
          },
          dispatchWorkgroups() {
            clock.work(HOST.dispatch);
            dispatches++;
          },
          end() {
            const writes = descriptor?.timestampWrites;
            if (pipeline === undefined) throw new Error("a pass without a pipeline");
            const stamps = writes && {
              set: writes.querySet,
              begin: writes.beginningOfPassWriteIndex,
              end: writes.endOfPassWriteIndex,
            };
            commands.push({ kind: "pass", pass: { pipeline, bindings, dispatches, stamps } });
          },
        };
      },
      resolveQuerySet(set: QuerySet, _first: number, count: number, to: Buffer) {
        commands.push({ kind: "resolve", set, count, to });
      },
      copyBufferToBuffer(from: Buffer, _from: number, to: Buffer, _to: number, size: number) {
        commands.push({ kind: "copy", from, to, size });
      },
      finish: () => ({ commands }),
    };
  }
}

export interface Simulation {
  readonly host: Host;
  readonly clock: SimulatedClock;
  readonly machine: Machine;
  /** Every device that was opened, the newest last. */
  readonly devices: readonly Device[];
  /** Runs the simulation until a promise of the engine settles. */
  drive<T>(promise: Promise<T>): Promise<T>;
}

/** A host whose GPU is made of this hardware. */
export function simulate(hardware: Hardware): Simulation {
  const clock = new SimulatedClock(hardware.clockStep);
  const machine = new Machine(hardware, clock);
  const devices: Device[] = [];
  const features = hardware.timestampQuantum === null ? [] : ["timestamp-query"];
  let adapters = 0;
  const gpu = {
    async requestAdapter({ powerPreference }: { powerPreference?: string } = {}) {
      if (powerPreference === "high-performance" && ++adapters > hardware.adapters) return null;
      return {
        features: new Set(features),
        limits: LIMITS,
        info: { vendor: "simulated", architecture: "", device: "", description: "Simulated GPU" },
        async requestDevice() {
          const device = new Device(machine, features);
          devices.push(device);
          return device;
        },
      };
    },
  };
  const host: Host = {
    // As much of a GPU as the engine uses: what it does not implement, the engine does not call.
    gpu: gpu as unknown as GPU,
    clock,
    visibility: alwaysVisible,
    deadlineSeconds: 30,
    info: { kind: "browser", agent: "simulation", crossOriginIsolated: true, mobile: false, logicalCores: 8 },
  };
  return { host, clock, machine, devices, drive: (promise) => clock.drive(promise) };
}
