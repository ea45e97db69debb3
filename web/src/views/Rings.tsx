import { useId } from "preact/hooks";
import type { Geometry } from "../geometry";

interface Props {
  /** Points (row, column) along each ring. */
  readonly rings: readonly (readonly (readonly [number, number])[])[];
  readonly names: readonly string[];
  readonly geometry: Geometry;
}

const ROOM = 48; // CSS pixels between two names at least

/** Rings over a pattern, named where names have room. */
export function Rings({ rings, names, geometry }: Props) {
  const { left, top, width, height } = geometry;
  const clip = useId();
  let last = -Infinity;
  return (
    <g class="rings" pointer-events="none">
      <clipPath id={clip}>
        <rect x={left} y={top} width={width} height={height} />
      </clipPath>
      <g clip-path={`url(#${clip})`}>
        {rings.map((points, index) => {
          const path = `M${points.map(([row, column]) => `${geometry.x(column).toFixed(1)} ${geometry.y(row).toFixed(1)}`).join("L")}Z`;
          return (
            <g key={index}>
              <path class="under" d={path} />
              <path class="over" d={path} />
            </g>
          );
        })}
      </g>
      {rings.map((points, index) => {
        const rightmost = points.reduce((a, b) => (b[1] > a[1] ? b : a), points[0] ?? [0, 0]);
        const x = geometry.x(rightmost[1]);
        if (x > left + width - 16 || x < left || x - last < ROOM) return null;
        last = x;
        return (
          <text key={index} class="mark" x={x} y={geometry.y(rightmost[0])} dy="0.35em" text-anchor="middle">
            {names[index]}
          </text>
        );
      })}
    </g>
  );
}

/** Returns points of a circle (row, column) of a radius in pixels. */
export function circle(center: readonly [number, number], radius: number): [number, number][] {
  return Array.from({ length: 90 }, (_, index) => {
    const angle = (index * Math.PI) / 45;
    return [center[0] + radius * Math.sin(angle), center[1] + radius * Math.cos(angle)];
  });
}

/** Returns Miller indices as they are printed: a minus as a bar over the digit. */
export const miller = (hkl: readonly number[]): string =>
  hkl.map((index) => (index < 0 ? `${-index}\u0304`.replace(/(\d)(\d+)/, "$1\u0304$2") : String(index))).join(hkl.some((index) => Math.abs(index) > 9) ? " " : "");
