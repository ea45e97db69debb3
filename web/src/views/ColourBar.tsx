import { useLayoutEffect, useRef } from "preact/hooks";
import { type Limits, place, valueAt } from "../contrast";
import { type TableName, table } from "../colours";
import { px } from "../geometry";
import { niceTicks, shown } from "../scales";

interface Props {
  readonly range: Limits;
  readonly colours: TableName;
  readonly left: number;
  readonly top: number;
  readonly height: number;
  readonly quantity: string;
}

const GAP = 16; // CSS pixels between two numbers at least

/** Numbers beside a colour bar: round ones, powers of ten on a logarithmic scale, never on top of each other. */
export function barTicks(range: Limits, height: number): number[] {
  const count = Math.max(2, Math.floor(height / 40));
  let values = niceTicks(range.low, range.high, count);
  if (range.stretch === "log") {
    const first = Math.ceil(Math.log10(range.low) - 1e-9);
    const last = Math.floor(Math.log10(range.high) + 1e-9);
    values = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => 10 ** (first + index));
    if (values.length < 2) values = [range.low, range.high];
  }
  const kept: number[] = [];
  let before = Infinity;
  for (const value of values) {
    const y = (1 - place(value, range)) * height;
    if (before - y >= GAP) {
      kept.push(value);
      before = y;
    }
  }
  return kept;
}

/** A colour bar with numbers, drawn beside an image. */
export function ColourBar({ range, colours, left, top, height, quantity }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(1, 256);
    new Uint32Array(image.data.buffer).set(Uint32Array.from(table(colours)).reverse());
    context.putImageData(image, 0, 0);
  }, [colours]);
  const ends = `${shown(valueAt(0, range))} – ${shown(valueAt(1, range))}`;
  return (
    <div role="img" aria-label={`${quantity}: ${ends}`}>
      <canvas ref={canvas} width={1} height={256} class="bar" style={{ left: px(left), top: px(top), height: px(height) }} />
      {barTicks(range, height).map((value) => (
        <span key={value} class="tick" style={{ left: px(left + 18), top: px(top + (1 - place(value, range)) * height) }}>
          {shown(value, 3)}
        </span>
      ))}
    </div>
  );
}
