import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type NdArray, imageSize } from "../arrays";
import type { TableName } from "../colours";
import { type Contrast, type Limits, draw, limits } from "../contrast";
import { type Geometry, fit, px } from "../geometry";
import { type AxisModel, axisTitle, niceTicks, scaleBar, shown, toIndex, toValue } from "../scales";
import { t } from "../words";
import { type Zoom, showing, whole, zoomed, zoomedBy } from "../zoom";
import { ColourBar } from "./ColourBar";
import { useBox } from "./useBox";

interface Props {
  readonly label: string;
  readonly image: NdArray | null;
  readonly contrast: Contrast;
  readonly axes: readonly AxisModel[];
  readonly quantity: string;
  /** Limits shared with other images; those of the image itself where absent. */
  readonly range?: Limits | undefined;
  readonly colours?: TableName | undefined;
  readonly cursor?: readonly [number, number] | undefined;
  readonly onMove?: ((row: number, column: number) => void) | undefined;
  /** A drag with the shift key held: from one place to another, (row, column). */
  readonly onSpan?: ((from: readonly [number, number], to: readonly [number, number], ended: boolean) => void) | undefined;
  readonly overlay?: ((geometry: Geometry) => ComponentChildren) | undefined;
  readonly onDrawn?: (() => void) | undefined;
  /** Share of the scan that is in the image, 0 to 1. */
  readonly done?: number;
}

const MARGINS = { left: 58, top: 22, right: 78, bottom: 40 };
const WHEEL = 0.002; // of a pixel of the wheel, as a share of the size

/**
 * An image with axes, scale bar, colour bar and cursor; drawn by a colour table, at any aspect ratio. The wheel and the
 * keys + and − make it larger about what is under the pointer or in the middle, 0 shows it whole, arrows move it.
 */
export function ImageView(props: Props) {
  const { image, contrast, axes, label, quantity, cursor, onMove, onSpan, overlay, onDrawn } = props;
  const [box, width, height] = useBox();
  const canvas = useRef<HTMLCanvasElement>(null);
  const from = useRef<[number, number] | null>(null);
  const range = useMemo(() => props.range ?? (image ? limits(image, contrast) : null), [image, contrast, props.range]);
  const colours = props.colours ?? contrast.colours;
  const size: [number, number] = image ? imageSize(image) : [1, 1];
  const [rows, columns] = size;
  const [zoom, setZoom] = useState<Zoom>(whole);
  const geometry = fit(size, [width, height], MARGINS, zoom);
  const clip = useId();
  const drawn = useRef(onDrawn);
  drawn.current = onDrawn;

  useLayoutEffect(() => {
    if (!canvas.current || !image || !range) return;
    draw(canvas.current, image, range, colours);
    drawn.current?.();
  }, [image, range, colours]);

  useLayoutEffect(() => setZoom(whole), [rows, columns]);
  useLayoutEffect(() => {
    if (cursor) setZoom((now) => (now === whole ? now : showing(now, cursor, size)));
  }, [cursor?.[0], cursor?.[1]]);

  const wheel = (event: WheelEvent) => {
    const next = zoomed(zoom, Math.exp(-WHEEL * event.deltaY * (event.deltaMode ? 16 : 1)), place(event), size);
    if (next.factor === zoom.factor) return; // then the page scrolls
    event.preventDefault();
    setZoom(next);
  };
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = zoomedBy(event.key, zoom, size);
    if (!next) return;
    event.preventDefault();
    setZoom(next);
  };
  const place = (event: MouseEvent): [number, number] => {
    const frame = (event.currentTarget as Element).getBoundingClientRect();
    return geometry.at(event.clientX - frame.left, event.clientY - frame.top);
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0 || !image) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    const here = place(event);
    from.current = here;
    if (!(event.shiftKey && onSpan)) onMove?.(...here);
  };
  const move = (event: PointerEvent) => {
    if (!from.current) return;
    if (event.shiftKey && onSpan) onSpan(from.current, place(event), false);
    else onMove?.(...place(event));
  };
  const up = (event: PointerEvent) => {
    if (from.current && event.shiftKey) onSpan?.(from.current, place(event), true);
    from.current = null;
  };

  return (
    <div ref={box} class="image" data-testid={label}>
      <div class="window" style={{ left: px(geometry.left), top: px(geometry.top), width: px(geometry.width), height: px(geometry.height) }}>
        <canvas
          ref={canvas}
          class="pixels"
          hidden={!image}
          style={{
            left: px(geometry.x(-0.5) - geometry.left),
            top: px(geometry.y(-0.5) - geometry.top),
            width: px(columns * geometry.across),
            height: px(rows * geometry.down),
          }}
          role="img"
          aria-label={label}
        />
      </div>
      {image && range && (
        <svg
          class="overlay"
          width={width}
          height={height}
          tabindex={0}
          role="group"
          aria-label={`${label}: ${t("zoom-keys")}`}
          aria-keyshortcuts="+ - 0"
          data-zoom={zoom.factor.toFixed(2)}
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onWheel={wheel}
          onKeyDown={key}
        >
          <Axes axes={axes} geometry={geometry} />
          <clipPath id={clip}>
            <rect x={geometry.left} y={geometry.top} width={geometry.width} height={geometry.height} />
          </clipPath>
          <g {...(geometry.zoomed && { "clip-path": `url(#${clip})` })}>
            {overlay?.(geometry)}
            {cursor && <Cross at={cursor} geometry={geometry} />}
          </g>
          {axes.length > 0 && geometry.toScale && <ScaleBar axis={seen(axes, geometry).at(-1) as AxisModel} geometry={geometry} />}
          <text x={geometry.left + geometry.width + 70} y={14} text-anchor="end">
            {quantity}
          </text>
        </svg>
      )}
      {image && range && (props.done ?? 1) > 0 && (
        <ColourBar
          range={range}
          colours={colours}
          left={geometry.left + geometry.width + 10}
          top={geometry.top}
          height={geometry.height}
          quantity={quantity}
        />
      )}
      {image && (props.done ?? 1) < 1 && (
        <p class="filling" role="status">
          {t("filling", { percent: Math.floor(100 * (props.done ?? 1)) })}
        </p>
      )}
      {image && geometry.zoomed && (
        <button type="button" class="whole" style={{ left: px(geometry.left) }} onClick={() => setZoom(whole)}>
          {t("zoom-is", { factor: shown(zoom.factor, 2) })}
        </button>
      )}
      {!image && <p class="empty">{t("loading")}</p>}
    </div>
  );
}

/** The cursor: a cross with a gap in its middle, dark under light so that it shows on every colour. */
export function Cross({ at, geometry }: { at: readonly [number, number]; geometry: Geometry }) {
  const x = geometry.x(at[1]);
  const y = geometry.y(at[0]);
  const arm = 12;
  const gap = Math.max(3, Math.min(geometry.across, geometry.down) / 2 + 1);
  const path =
    `M${x - gap - arm} ${y}H${x - gap}M${x + gap} ${y}H${x + gap + arm}` +
    `M${x} ${y - gap - arm}V${y - gap}M${x} ${y + gap}V${y + gap + arm}`;
  return (
    <g pointer-events="none">
      <path d={path} stroke="#000" stroke-width="4" />
      <path d={path} stroke="#fff" stroke-width="1.8" />
    </g>
  );
}

/** The axes as far as they are seen; indices stay those of the whole image. */
function seen(axes: readonly AxisModel[], geometry: Geometry): AxisModel[] {
  const [first, last] = [geometry.at(geometry.left, geometry.top), geometry.at(geometry.left + geometry.width, geometry.top + geometry.height)];
  return axes.slice(-2).map((axis, which, both) => {
    const along = which + 2 - both.length;
    const [start, stop] = [first[along] as number, last[along] as number];
    return { ...axis, offset: toValue(axis, start + 0.5), size: stop - start };
  });
}

function Axes({ axes, geometry }: { axes: readonly AxisModel[]; geometry: Geometry }) {
  const horizontal = axes[axes.length - 1];
  const vertical = axes.length > 1 ? axes[axes.length - 2] : undefined;
  const { left, top, width, height } = geometry;
  const bottom = top + height;
  const parts = seen(axes, geometry);
  const horizontals = parts.at(-1) as AxisModel;
  const verticals = parts.at(-2) ?? horizontals;
  return (
    <g class="axes">
      <rect x={left - 0.5} y={top - 0.5} width={width + 1} height={height + 1} class="frame" />
      {horizontal &&
        ticks(horizontal, horizontals, width / 70).map(([index, text]) => (
          <g key={`u${text}`}>
            <path d={`M${geometry.x(index)} ${bottom}v5`} />
            <text x={geometry.x(index)} y={bottom + 17} text-anchor="middle">
              {text}
            </text>
          </g>
        ))}
      {vertical &&
        ticks(vertical, verticals, height / 50).map(([index, text]) => (
          <g key={`v${text}`}>
            <path d={`M${left} ${geometry.y(index)}h-5`} />
            <text x={left - 8} y={geometry.y(index)} dy="0.35em" text-anchor="end">
              {text}
            </text>
          </g>
        ))}
      {horizontal && (
        <text x={left + width / 2} y={bottom + 33} text-anchor="middle">
          {axisTitle(horizontal)}
          {geometry.toScale ? "" : ` · ${t("not-to-scale")}`}
        </text>
      )}
      {vertical && (
        <text transform={`translate(${left - 46} ${top + height / 2}) rotate(-90)`} text-anchor="middle">
          {axisTitle(vertical)}
        </text>
      )}
    </g>
  );
}

/** Round values of what is seen of an axis, each with its index along the whole axis. */
function ticks(axis: AxisModel, part: AxisModel, count: number): [number, string][] {
  const ends = [toValue(part, -0.5), toValue(part, part.size - 0.5)];
  return niceTicks(Math.min(...ends), Math.max(...ends), Math.max(2, Math.floor(count))).map((value) => [
    toIndex(axis, value),
    shown(Math.abs(value) < 1e-9 * Math.abs(axis.scale) ? 0 : value),
  ]);
}

/** A scale bar in the lower left corner, on a dark plate so that it is read on every image. */
export function ScaleBar({ axis, geometry }: { axis: AxisModel; geometry: Geometry }) {
  const bar = scaleBar(axis);
  if (!bar || geometry.height < 60) return null;
  const length = bar.pixels * geometry.across;
  const x = geometry.left + 10;
  const y = geometry.top + geometry.height - 12;
  const plate = Math.max(length, 8.2 * bar.text.length) + 12;
  return (
    <g class="scale-bar" pointer-events="none">
      <rect x={x - 6} y={y - 24} width={plate} height={32} rx="3" class="plate" />
      <rect x={x} y={y} width={length} height={4} class="length" />
      <text x={x} y={y - 7}>
        {bar.text}
      </text>
    </g>
  );
}
