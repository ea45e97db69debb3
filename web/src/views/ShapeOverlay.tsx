import { useRef } from "preact/hooks";
import type { Geometry } from "../geometry";
import { type Handle, type Shape, grown, handles, middle, moved, pulled } from "../shapes";

interface Props {
  readonly shape: Shape;
  readonly size: readonly [number, number];
  readonly geometry: Geometry;
  readonly label: string;
  /** `ended` tells whether the hand let go: then an exact image is worth its time. */
  readonly onChange: (shape: Shape, ended: boolean) => void;
}

interface Grip {
  readonly name: Handle["name"] | "whole";
  readonly from: readonly [number, number];
  readonly shape: Shape;
}

/** A disk, ring or rectangle over an image: dragged as a whole, resized by its handles, or by arrow keys, + and −. */
export function ShapeOverlay({ shape, size, geometry, label, onChange }: Props) {
  const grip = useRef<Grip | null>(null);
  const latest = useRef(shape);
  latest.current = shape;

  const place = (event: PointerEvent): [number, number] => {
    const svg = (event.currentTarget as SVGElement).ownerSVGElement as SVGSVGElement;
    const frame = svg.getBoundingClientRect();
    return geometry.at(event.clientX - frame.left, event.clientY - frame.top);
  };
  const grab = (name: Grip["name"]) => (event: PointerEvent) => {
    event.stopPropagation();
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    grip.current = { name, from: place(event), shape };
  };
  const drag = (event: PointerEvent) => {
    const held = grip.current;
    if (!held) return;
    event.stopPropagation();
    const to = place(event);
    const by = [to[0] - held.from[0], to[1] - held.from[1]] as const;
    onChange(held.name === "whole" ? moved(held.shape, by, size) : pulled(held.shape, held.name, to, size), false);
  };
  const drop = (event: PointerEvent) => {
    if (!grip.current) return;
    event.stopPropagation();
    grip.current = null;
    onChange(latest.current, true);
  };
  const key = (event: KeyboardEvent) => {
    const step = event.shiftKey ? 10 : 1;
    const by = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] }[event.key];
    if (by) onChange(moved(shape, by as [number, number], size), true);
    else if (event.key === "+" || event.key === "=") onChange(grown(shape, step, size), true);
    else if (event.key === "-") onChange(grown(shape, -step, size), true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const listen = (name: Grip["name"]) => ({ onPointerDown: grab(name), onPointerMove: drag, onPointerUp: drop });

  return (
    <g class="shape" tabindex={0} role="group" aria-label={`${label}: ${described(shape)}`} onKeyDown={key}>
      <path d={outline(shape, geometry)} class="halo" />
      <path d={outline(shape, geometry)} class="line" fill-rule="evenodd" data-testid="shape" {...listen("whole")} />
      {handles(shape).map(({ name, at }) => (
        <circle
          key={name}
          class="handle"
          data-testid={`handle-${name}`}
          cx={geometry.x(at[1])}
          cy={geometry.y(at[0])}
          r={7}
          {...listen(name)}
        />
      ))}
      <circle class="middle" cx={geometry.x(middle(shape)[1])} cy={geometry.y(middle(shape)[0])} r={3} />
    </g>
  );
}

function outline(shape: Shape, geometry: Geometry): string {
  if (shape.kind === "rectangle") {
    const left = geometry.x(shape.first[1] - 0.5);
    const top = geometry.y(shape.first[0] - 0.5);
    const right = geometry.x(shape.last[1] + 0.5);
    const bottom = geometry.y(shape.last[0] + 0.5);
    return `M${left} ${top}H${right}V${bottom}H${left}Z`;
  }
  const x = geometry.x(shape.center[1]);
  const y = geometry.y(shape.center[0]);
  const round = (radius: number) => {
    const [a, b] = [radius * geometry.across, radius * geometry.down];
    return `M${x - a} ${y}A${a} ${b} 0 1 0 ${x + a} ${y}A${a} ${b} 0 1 0 ${x - a} ${y}Z`;
  };
  return shape.kind === "disk" ? round(shape.radius) : round(shape.inner) + round(shape.outer);
}

function described(shape: Shape): string {
  if (shape.kind === "rectangle") return `${shape.first.join(",")} – ${shape.last.join(",")}`;
  const [row, column] = middle(shape);
  const size = shape.kind === "disk" ? shape.radius : `${shape.inner} – ${shape.outer}`;
  return `${row.toFixed(1)}, ${column.toFixed(1)}; ${size}`;
}
