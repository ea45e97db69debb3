import { type Zoom, whole } from "./zoom";

/** Returns a length as CSS writes it. */
export const px = (length: number): string => `${length}px`;

/** Where an image of rows x columns, or what is seen of it, lies inside a box of the page; pixels turn into places. */
export interface Geometry {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** CSS pixels for each column and each row of the image. */
  readonly across: number;
  readonly down: number;
  /** False where a very long image had to be widened to be seen at all. */
  readonly toScale: boolean;
  /** Place of a (fractional) column or row: whole numbers are the middles of pixels. */
  readonly x: (column: number) => number;
  readonly y: (row: number) => number;
  /** Row and column under a place. */
  readonly at: (x: number, y: number) => [number, number];
  /** Whether only a part of the image is seen. */
  readonly zoomed: boolean;
}

export interface Margins {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const LONGEST = 10; // an image longer than this is drawn wider than it is, and says so

/** Fits an image, or what is seen of it, into a box, as large as it goes. */
export function fit(
  [rows, columns]: readonly [number, number],
  [boxWidth, boxHeight]: readonly [number, number],
  margins: Margins,
  zoom: Zoom = whole,
): Geometry {
  const roomX = Math.max(1, boxWidth - margins.left - margins.right);
  const roomY = Math.max(1, boxHeight - margins.top - margins.bottom);
  const ownRatio = columns / rows;
  const ratio = Math.min(LONGEST, Math.max(1 / LONGEST, ownRatio));
  const width = Math.min(roomX, roomY * ratio);
  const height = width / ratio;
  const left = margins.left + (roomX - width) / 2;
  const { top } = margins; // so that images side by side begin at one height
  const across = (zoom.factor * width) / columns;
  const down = (zoom.factor * height) / rows;
  return {
    left,
    top,
    width,
    height,
    across,
    down,
    toScale: ratio === ownRatio,
    x: (column) => left + (column + 0.5 - zoom.column) * across,
    y: (row) => top + (row + 0.5 - zoom.row) * down,
    at: (x, y) => [(y - top) / down - 0.5 + zoom.row, (x - left) / across - 0.5 + zoom.column],
    zoomed: zoom.factor > 1,
  };
}
