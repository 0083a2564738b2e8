// What the variants of matmul have in common: the output in tiles, a workgroup for each, down one column of tiles after
// another; and how much is written out.

import { pick, spotAt } from "./kernel";
import type { MatmulShape } from "./product";

/** Rows and columns of a tile. */
export type Tile = readonly [rows: number, columns: number];

/** Multiply-adds written out in one turn of a loop: with more, compilers take seconds. */
export const MOST_STATEMENTS = 2048;

/** How many tiles cover the output. */
export const tileCount = ({ M, N }: MatmulShape, [rows, columns]: Tile): number =>
  Math.ceil(M / rows) * Math.ceil(N / columns);

/** A spot in the tile of a workgroup. */
export function tileSpot({ M, N }: MatmulShape, [rows, columns]: Tile, workgroup: number, choice: number) {
  const tall = Math.ceil(M / rows);
  return spotAt(
    pick((workgroup % tall) * rows, rows, M, choice >>> 16),
    pick(Math.floor(workgroup / tall) * columns, columns, N, choice & 0xffff),
  );
}
