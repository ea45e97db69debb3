import { type NdArray, imageSize } from "./arrays";
import { type TableName, table } from "./colours";

export type Stretch = "linear" | "sqrt" | "log";

/** How numbers become colours: the stretch, and the percentiles that share the first and last colour. */
export interface Contrast {
  readonly stretch: Stretch;
  readonly low: number;
  readonly high: number;
  readonly colours: TableName;
}

/** Stretch, percentiles and colours as a saved figure takes them. */
export function drawnAs({ stretch, low, high, colours }: Contrast) {
  const colormap: "gray" | "viridis" | "cividis" = colours === "grey" ? "gray" : colours === "cividis" ? "cividis" : "viridis";
  const percentiles: [number, number] = [low, high];
  return { log: stretch === "log", percentiles, colormap };
}

/** The values of the first and the last colour. */
export interface Limits {
  readonly low: number;
  readonly high: number;
  readonly stretch: Stretch;
}

const SAMPLE = 16384; // values sorted at most: percentiles of a larger image are those of an even sample
const DECADES = 5; // of a logarithmic stretch: darker values share its first colour

/** Returns the limits that a contrast gives for an image; NaN and infinities do not count. */
export function limits(array: NdArray, contrast: Contrast): Limits {
  const values = sample(array.data);
  const { stretch } = contrast;
  if (!values.length) return { low: stretch === "log" ? 0.1 : 0, high: 1, stretch };
  let high = percentile(values, contrast.high);
  let low = percentile(values, contrast.low);
  if (stretch === "log") {
    if (high <= 0) return { low: 0.1, high: 1, stretch };
    const positive = values.find((value) => value > 0) ?? high;
    low = Math.max(low, positive, high / 10 ** DECADES);
    return { low: low < high ? low : high / 10, high, stretch };
  }
  if (stretch === "sqrt" || contrast.low === 0) low = Math.min(low, 0);
  if (!(high > low)) high = percentile(values, 100);
  return { low, high: high > low ? high : low + Math.max(1, Math.abs(low)), stretch };
}

function sample(data: NdArray["data"]): Float64Array {
  const step = Math.max(1, Math.ceil(data.length / SAMPLE));
  const kept = new Float64Array(Math.ceil(data.length / step));
  let count = 0;
  for (let index = 0; index < data.length; index += step) {
    const value = data[index] as number;
    if (Number.isFinite(value)) kept[count++] = value;
  }
  if (step > 1) {
    // the brightest value must not fall through the sample
    let brightest = -Infinity;
    for (const value of data) if (value > brightest && value < Infinity) brightest = value;
    if (count && brightest > -Infinity) kept[count - 1] = brightest;
  }
  return kept.subarray(0, count).sort();
}

function percentile(sorted: Float64Array, percent: number): number {
  const place = (Math.min(100, Math.max(0, percent)) / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const first = sorted[below] as number;
  const second = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return first + (second - first) * (place - below);
}

/** Returns where a value lies between the first colour (0) and the last (1). */
export function place(value: number, { low, high, stretch }: Limits): number {
  if (stretch === "log") return Math.log(Math.max(value, low) / low) / Math.log(high / low);
  const share = (value - low) / (high - low);
  return stretch === "sqrt" ? Math.sqrt(Math.max(0, share)) : share;
}

/** Returns the value at a place between 0 and 1: the inverse of `place`. */
export function valueAt(share: number, { low, high, stretch }: Limits): number {
  if (stretch === "log") return low * (high / low) ** share;
  return low + (high - low) * (stretch === "sqrt" ? share * share : share);
}

/** Paints an image into the bytes of ImageData: one colour for each pixel; values that are none stay clear. */
export function paint(array: NdArray, range: Limits, name: TableName, target: Uint32Array): void {
  const colours = table(name);
  const { low, high, stretch } = range;
  const { data } = array;
  const linear = 255 / (high - low);
  const logarithmic = stretch === "log" ? 255 / Math.log(high / low) : 0;
  for (let index = 0; index < data.length; index++) {
    const value = data[index] as number;
    let level: number;
    if (stretch === "linear") level = (value - low) * linear;
    else if (stretch === "sqrt") level = value <= low ? 0 : 255 * Math.sqrt((value - low) / (high - low));
    else level = value <= low ? 0 : Math.log(value / low) * logarithmic;
    target[index] = value !== value ? 0 : (colours[level <= 0 ? 0 : level >= 255 ? 255 : (level + 0.5) | 0] as number);
  }
}

/** Draws an image onto a canvas of its own size; the page scales it. */
export function draw(canvas: HTMLCanvasElement, array: NdArray, range: Limits, name: TableName): void {
  const [rows, columns] = imageSize(array);
  if (canvas.width !== columns) canvas.width = columns;
  if (canvas.height !== rows) canvas.height = rows;
  const context = canvas.getContext("2d");
  if (!context || !rows || !columns) return;
  const image = context.createImageData(columns, rows);
  paint(array, range, name, new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
}
