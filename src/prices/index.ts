import * as v from "valibot";
import type { ModelId } from "../workloads";
import { type ApiPrice, apiPriceSchema } from "./api_price";
import rows from "./api_prices.json";

/** Every price, as listed. */
export const apiPrices: readonly ApiPrice[] = v.parse(v.array(apiPriceSchema), rows);

/** The prices of a model, the cheapest output first. */
export const apiPricesOf = (model: ModelId): ApiPrice[] =>
  apiPrices
    .filter((each) => each.model === model)
    .sort((a, b) => a.outputPerMillion - b.outputPerMillion || a.inputPerMillion - b.inputPerMillion);

export { type ApiPrice, perToken } from "./api_price";
