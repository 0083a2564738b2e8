// What hosted models cost by the token: the schema of api_prices.json. Prices as their seller writes them, in dollars
// per million tokens; a listed price does not prove that the endpoint still exists.

import * as v from "valibot";
import { modelIds } from "../workloads";

const perMillion = v.pipe(v.number(), v.finite(), v.gtValue(0));

export const apiPriceSchema = v.strictObject({
  provider: v.pipe(v.string(), v.nonEmpty()),
  /** The model of ours with the same shapes: Llama 3.3 70B has those of 3.1. */
  model: v.picklist(modelIds),
  /** What the seller's table calls it. */
  endpoint: v.pipe(v.string(), v.nonEmpty()),
  inputPerMillion: perMillion,
  outputPerMillion: perMillion,
  source: v.pipe(v.string(), v.url(), v.startsWith("https://")),
  quote: v.pipe(v.string(), v.nonEmpty(), v.maxLength(300)),
  /** The day of the snapshot, YYYY-MM-DD. */
  asOf: v.pipe(v.string(), v.isoDate()),
});

export type ApiPrice = v.InferOutput<typeof apiPriceSchema>;

/** $ per token. */
export const perToken = ({ inputPerMillion, outputPerMillion }: ApiPrice) => ({
  input: inputPerMillion / 1e6,
  output: outputPerMillion / 1e6,
});
