import type { NdArray } from "./arrays";
import { imageSize } from "./arrays";
import type { Geometry } from "./geometry";

/** Returns the borders between labels as one path: every edge between two pixels of unlike labels. */
export function outlines(labels: NdArray, geometry: Geometry): string {
  const [rows, columns] = imageSize(labels);
  const label = (row: number, column: number) =>
    row < 0 || column < 0 || row >= rows || column >= columns ? 0 : (labels.data[row * columns + column] as number);
  const parts: string[] = [];
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      const here = label(row, column);
      const x = geometry.x(column - 0.5).toFixed(1);
      const y = geometry.y(row - 0.5).toFixed(1);
      if (here !== label(row, column - 1)) parts.push(`M${x} ${y}v${geometry.down.toFixed(2)}`);
      if (here !== label(row - 1, column)) parts.push(`M${x} ${y}h${geometry.across.toFixed(2)}`);
    }
  }
  return parts.join("");
}
