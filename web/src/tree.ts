import type { Message } from "./api";

/** One merge as it is drawn: two uprights joined by a bar. Places of leaves are 0, 1, 2, ... */
export interface Bracket {
  readonly left: number;
  readonly right: number;
  readonly leftFrom: number;
  readonly rightFrom: number;
  readonly height: number;
  /** Leaves below it. */
  readonly leaves: readonly number[];
}

/** Returns the brackets of a dendrogram, lowest first. */
export function brackets(tree: readonly Message<"Merge">[], order: readonly number[]): Bracket[] {
  const n = order.length;
  const nodes = new Map<number, { place: number; height: number; leaves: number[] }>();
  order.forEach((leaf, place) => nodes.set(leaf, { place, height: 0, leaves: [leaf] }));
  return tree.map((merge, index) => {
    const a = nodes.get(merge.a);
    const b = nodes.get(merge.b);
    if (!a || !b) throw new Error(`merge ${index} joins what is not there`);
    const [left, right] = a.place <= b.place ? [a, b] : [b, a];
    const leaves = [...left.leaves, ...right.leaves];
    nodes.set(n + index, { place: (left.place + right.place) / 2, height: merge.height, leaves });
    return { left: left.place, right: right.place, leftFrom: left.height, rightFrom: right.height, height: merge.height, leaves };
  });
}
