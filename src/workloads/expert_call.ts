import type { Call } from "../kernels";
import { wokenExperts } from "../kernels/experts";
import { MATVEC_MAX_M } from "../kernels/matvec";
import { type Linear, type ModelConfig, mixtureOf } from "./model";

/**
 * The product of a layer's experts for so many tokens; undefined where a linear layer is no expert's. Its experts are those
 * that are woken: which of a layer's these are makes no difference, and memory that nobody reads would not be streamed.
 */
export function expertCall(model: ModelConfig, { label, N, K }: Linear, tokens: number): Call | undefined {
  const mixture = mixtureOf(model);
  if (mixture === undefined || !["gate_up_proj", "down_proj"].includes(label)) return undefined;
  const { experts: all, perToken: chosen } = mixture;
  const experts = wokenExperts(all, chosen, tokens);
  const sharing = label === "gate_up_proj" ? chosen : 1;
  const shape = { tokens, chosen, sharing, experts, held: experts, until: experts, woken: experts, N, K };
  return { kernel: tokens <= MATVEC_MAX_M ? "expert_matvec" : "expert_matmul", shape };
}
