import type { NdArray } from "./arrays";
import type { AxisModel } from "./scales";

/** Returns rows and columns of what lies over some axes; one axis is one row. */
export function imageShape(axes: readonly AxisModel[]): [number, number] {
  const sizes = axes.slice(-2).map((axis) => axis.size);
  return sizes.length === 2 ? [sizes[0] as number, sizes[1] as number] : [1, sizes[0] ?? 1];
}

/** Returns row and column of an index along one or two axes. */
export const rowAndColumn = (index: readonly number[]): [number, number] =>
  index.length === 1 ? [0, index[0] as number] : [index.at(-2) as number, index.at(-1) as number];

/** Returns the index along the axes of a row and column: the inverse of `rowAndColumn`. */
export const indexOf = (row: number, column: number, n: number): number[] => (n === 1 ? [column] : [row, column]);

/** Returns whether an array can be drawn as an image; else it is a line. */
export const isImage = (array: NdArray): boolean => array.shape.length >= 2 && (array.shape.at(-2) as number) > 1;

/** Returns the cursor a step further; on a line scan both pairs of keys walk the line. */
export function stepped(at: readonly number[], by: readonly [number, number], step: number): number[] {
  if (at.length === 1) return [(at[0] ?? 0) + (by[0] + by[1]) * step];
  const last = at.length - 1;
  return at.map((index, axis) => index + step * (axis === last ? by[1] : axis === last - 1 ? by[0] : 0));
}
