import { useRef } from "preact/hooks";
import type { NdArray } from "../arrays";
import { type AxisModel, axisTitle, niceTicks, shown, toIndex, toValue } from "../scales";
import type { Window1d } from "../shapes";
import { useBox } from "./useBox";

interface Props {
  readonly label: string;
  readonly values: NdArray | null;
  readonly axis: AxisModel;
  readonly quantity: string;
  readonly log?: boolean;
  readonly cursor?: number | undefined;
  readonly onMove?: ((index: number) => void) | undefined;
  readonly window?: Window1d | null | undefined;
  readonly onWindow?: ((window: Window1d, ended: boolean) => void) | undefined;
}

const LEFT = 66;
const BOTTOM = 40;
const EDGE = 12;

/** A spectrum or a line scan: values over one axis, with a cursor, and a window whose edges can be dragged. */
export function LinePlot({ label, values, axis, quantity, log, cursor, onMove, window, onWindow }: Props) {
  const [box, width, height] = useBox();
  const held = useRef<"first" | "last" | "cursor" | null>(null);
  const latest = useRef(window);
  latest.current = window;
  const plotWidth = Math.max(1, width - LEFT - EDGE);
  const plotHeight = Math.max(1, height - BOTTOM - EDGE);
  const x = (index: number) => LEFT + ((index + 0.5) / axis.size) * plotWidth;
  const scale = values ? heights(values, log ?? false, plotHeight) : null;

  const index = (event: PointerEvent) => {
    const frame = (event.currentTarget as Element).closest("svg")?.getBoundingClientRect();
    const share = (event.clientX - (frame?.left ?? 0) - LEFT) / plotWidth;
    return Math.min(axis.size - 1, Math.max(0, Math.round(share * axis.size - 0.5)));
  };
  const change = (event: PointerEvent) => {
    if (held.current === "cursor") onMove?.(index(event));
    if (!window || !held.current || held.current === "cursor") return;
    const at = index(event);
    if (held.current === "first") onWindow?.({ ...window, first: Math.min(at, window.last) }, false);
    else onWindow?.({ ...window, last: Math.max(at, window.first) }, false);
  };
  const grab = (what: "first" | "last" | "cursor") => (event: PointerEvent) => {
    event.stopPropagation();
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    held.current = what;
    change(event);
  };
  const drop = () => {
    if (latest.current && held.current !== "cursor" && held.current) onWindow?.(latest.current, true);
    held.current = null;
  };
  const nudge = (edge: "first" | "last") => (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !window) return;
    event.preventDefault();
    const at = Math.min(axis.size - 1, Math.max(0, window[edge] + by * (event.shiftKey ? 10 : 1)));
    const next = edge === "first" ? { ...window, first: Math.min(at, window.last) } : { ...window, last: Math.max(at, window.first) };
    onWindow?.(next, true);
  };
  const listen = { onPointerMove: change, onPointerUp: drop };

  return (
    <div ref={box} class="image" data-testid={label}>
      {scale && width > 0 && (
        <svg class="overlay plot" width={width} height={height} role="img" aria-label={label} onPointerDown={grab("cursor")} {...listen}>
          <rect x={LEFT} y={EDGE} width={plotWidth} height={plotHeight} class="frame" />
          {window && (
            <rect x={x(window.first - 0.5)} y={EDGE} width={x(window.last + 0.5) - x(window.first - 0.5)} height={plotHeight} class="window" />
          )}
          <path class="curve" d={curve(values as NdArray, x, scale.y)} />
          {niceTicks(...ends(axis), Math.max(2, plotWidth / 90)).map((value) => (
            <text key={value} x={x(toIndex(axis, value))} y={height - BOTTOM + 18} text-anchor="middle">
              {shown(value, 4)}
            </text>
          ))}
          {scale.ticks.map((value) => (
            <text key={value} x={LEFT - 8} y={scale.y(value)} dy="0.35em" text-anchor="end">
              {shown(value)}
            </text>
          ))}
          <text x={LEFT + plotWidth / 2} y={height - 5} text-anchor="middle">
            {axisTitle(axis)}
          </text>
          <text transform={`translate(14 ${EDGE + plotHeight / 2}) rotate(-90)`} text-anchor="middle">
            {quantity}
          </text>
          {cursor !== undefined && <path class="at" d={`M${x(cursor)} ${EDGE}v${plotHeight}`} />}
          {window &&
            (["first", "last"] as const).map((edge) => (
              <rect
                key={edge}
                class="edge"
                tabindex={0}
                role="slider"
                aria-label={`${label}: ${edge}`}
                aria-valuenow={window[edge]}
                aria-valuemin={0}
                aria-valuemax={axis.size - 1}
                data-testid={`edge-${edge}`}
                x={x(window[edge] + (edge === "first" ? -0.5 : 0.5)) - 4}
                y={EDGE}
                width={8}
                height={plotHeight}
                onPointerDown={grab(edge)}
                onKeyDown={nudge(edge)}
                {...listen}
              />
            ))}
        </svg>
      )}
    </div>
  );
}

const ends = (axis: AxisModel): [number, number] => {
  const both = [toValue(axis, 0), toValue(axis, axis.size - 1)];
  return [Math.min(...both), Math.max(...both)];
};

function heights(values: NdArray, log: boolean, height: number) {
  let high = -Infinity;
  let low = Infinity;
  let positive = Infinity;
  for (const value of values.data) {
    if (value > high && value < Infinity) high = value;
    if (value < low) low = value;
    if (value > 0 && value < positive) positive = value;
  }
  if (log && high > 0) {
    const first = Math.floor(Math.log10(Math.max(positive, high / 1e6)));
    const last = Math.log10(high) + 0.05;
    const y = (value: number) => EDGE + height * (1 - (Math.max(first, Math.log10(value || 1e-300)) - first) / (last - first));
    const factors = last - first < 3 ? [1, 2, 5] : [1];
    const ticks = Array.from({ length: Math.floor(last) - first + 1 }, (_, power) => factors.map((factor) => factor * 10 ** (first + power)));
    return { y, ticks: ticks.flat().filter((value) => value <= 10 ** last) };
  }
  const bottom = Math.min(0, Number.isFinite(low) ? low : 0);
  const top = high > bottom ? bottom + (high - bottom) * 1.05 : bottom + 1;
  const y = (value: number) => EDGE + height * (1 - (value - bottom) / (top - bottom));
  return { y, ticks: niceTicks(bottom, top, Math.max(2, height / 50)) };
}

function curve(values: NdArray, x: (index: number) => number, y: (value: number) => number): string {
  let path = "";
  let open = false;
  values.data.forEach((value, index) => {
    if (Number.isFinite(value)) path += `${open ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    open = Number.isFinite(value);
  });
  return path;
}
