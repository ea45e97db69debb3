/** What of an image is seen: so many times larger, from a row and column on (edges of pixels; 0 is the image's own). */
export interface Zoom {
  readonly factor: number;
  readonly row: number;
  readonly column: number;
}

type Size = readonly [number, number];

export const whole: Zoom = { factor: 1, row: 0, column: 0 };

const LEAST = 4; // pixels of the shorter side that are seen at least
const STEP = 1.25; // of one press of a key

/** Returns a zoom by a factor that keeps a place (row, column) where it is on the page. */
export function zoomed(zoom: Zoom, by: number, [row, column]: Size, size: Size): Zoom {
  const most = Math.max(1, Math.min(...size) / LEAST);
  const factor = Math.min(most, Math.max(1, zoom.factor * by));
  const share = zoom.factor / factor;
  const from = (first: number, edge: number) => edge - (edge - first) * share;
  return inside({ factor, row: from(zoom.row, row + 0.5), column: from(zoom.column, column + 0.5) }, size);
}

/** Returns what is seen after a key: + larger, − smaller, 0 the whole image, arrows to the sides; null for other keys. */
export function zoomedBy(key: string, zoom: Zoom, size: Size): Zoom | null {
  const [rows, columns] = [size[0] / zoom.factor, size[1] / zoom.factor];
  const middle: Size = [zoom.row + rows / 2 - 0.5, zoom.column + columns / 2 - 0.5];
  if (key === "+" || key === "=") return zoomed(zoom, STEP, middle, size);
  if (key === "-") return zoomed(zoom, 1 / STEP, middle, size);
  if (key === "0") return whole;
  const by = { ArrowUp: [-0.2, 0], ArrowDown: [0.2, 0], ArrowLeft: [0, -0.2], ArrowRight: [0, 0.2] }[key];
  if (!by || zoom.factor === 1) return null;
  return inside({ ...zoom, row: zoom.row + (by[0] as number) * rows, column: zoom.column + (by[1] as number) * columns }, size);
}

/** Returns the zoom moved as little as needed so that a place is seen. */
export function showing(zoom: Zoom, [row, column]: Size, size: Size): Zoom {
  const [rows, columns] = [size[0] / zoom.factor, size[1] / zoom.factor];
  const from = (first: number, at: number, length: number) => Math.min(at, Math.max(first, at + 1 - length));
  return inside({ ...zoom, row: from(zoom.row, row, rows), column: from(zoom.column, column, columns) }, size);
}

function inside(zoom: Zoom, [rows, columns]: Size): Zoom {
  if (zoom.factor <= 1.001) return whole;
  const bounded = (first: number, length: number) => Math.min(length - length / zoom.factor, Math.max(0, first));
  return { factor: zoom.factor, row: bounded(zoom.row, rows), column: bounded(zoom.column, columns) };
}
