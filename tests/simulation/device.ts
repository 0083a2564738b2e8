// A device of the simulated GPU: as much of GPUDevice as the engine uses.

import type { KernelName } from "../../src/kernels";
import { HOST, type Machine, type Pass, type Pipeline, type QuerySet } from "./machine";
import { type Binding, Buffer, materialise } from "./memory";

type Command =
  | { readonly kind: "pass"; readonly pass: Pass }
  | { readonly kind: "resolve"; readonly set: QuerySet; readonly count: number; readonly to: Buffer }
  | { readonly kind: "copy"; readonly from: Buffer; readonly to: Buffer; readonly size: number };

/** A device: buffers, encoders, a queue, error scopes, and an end. */
export class Device {
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
