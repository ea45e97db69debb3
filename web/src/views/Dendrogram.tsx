import { useMemo, useRef } from "preact/hooks";
import type { Message } from "../api";
import { groupColour } from "../colours";
import { niceTicks, shown } from "../scales";
import { brackets } from "../tree";
import { t } from "../words";
import { useBox } from "./useBox";

interface Props {
  readonly tree: readonly Message<"Merge">[];
  readonly leaves: readonly number[];
  readonly labels: readonly number[];
  readonly cut: number;
  readonly onCut: (height: number, ended: boolean) => void;
  readonly chosen: number;
  readonly onChoose: (component: number) => void;
}

const LOWEST = 0.001; // a cut at 0 would part components that are alike
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 16, 14, 58];

/** The tree of components; the cut is a line that is dragged, or moved by the arrow keys. */
export function Dendrogram({ tree, leaves, labels, cut, onCut, chosen, onChoose }: Props) {
  const [box, width, height] = useBox();
  const held = useRef(false);
  const drawn = useMemo(() => brackets(tree, leaves), [tree, leaves]);
  const top = Math.min(1, 1.08 * Math.max(cut, 0.05, ...tree.map((merge) => merge.height)));
  const room = Math.max(1, width - LEFT - RIGHT);
  const rise = Math.max(1, height - TOP - BOTTOM);
  const wide = Math.max(3, Math.min(22, (0.94 * room) / leaves.length));
  const spare = Math.ceil(16 / (room / leaves.length)); // with many leaves only every so many have room for numbers
  const x = (place: number) => LEFT + ((place + 0.5) / leaves.length) * room;
  const y = (value: number) => TOP + rise * (1 - value / top);
  const bounded = (value: number) => Math.min(1, Math.max(LOWEST, Math.min(value, top)));

  const under = (event: PointerEvent) => {
    const frame = (event.currentTarget as SVGElement).ownerSVGElement?.getBoundingClientRect();
    return bounded((1 - (event.clientY - (frame?.top ?? 0) - TOP) / rise) * top);
  };
  const key = (event: KeyboardEvent) => {
    const by = { ArrowUp: 0.01, ArrowDown: -0.01, PageUp: 0.1, PageDown: -0.1 }[event.key];
    if (!by) return;
    event.preventDefault();
    onCut(bounded(cut + by), true);
  };
  const colourOf = (members: readonly number[]) => {
    const first = labels[members[0] ?? 0];
    return members.every((leaf) => labels[leaf] === first) ? groupColour(first ?? 0) : "#9aa7b4";
  };

  return (
    <div ref={box} class="image" data-testid="dendrogram">
      {width > 0 && (
        <svg class="overlay plot" width={width} height={height}>
          {niceTicks(0, top, rise / 50).map((value) => (
            <g key={value}>
              <path class="grid" d={`M${LEFT} ${y(value)}H${width - RIGHT}`} />
              <text x={LEFT - 8} y={y(value)} dy="0.35em" text-anchor="end">
                {shown(value)}
              </text>
            </g>
          ))}
          {drawn.map((bracket, index) => (
            <path
              key={index}
              class="bracket"
              stroke={colourOf(bracket.leaves)}
              d={`M${x(bracket.left)} ${y(bracket.leftFrom)}V${y(bracket.height)}H${x(bracket.right)}V${y(bracket.rightFrom)}`}
            />
          ))}
          {leaves.map((leaf, place) => (
            <g key={leaf}>
              <rect
                class="leaf"
                tabindex={0}
                role="button"
                aria-pressed={leaf === chosen}
                aria-label={t("leaf", { n: leaf + 1, group: (labels[leaf] ?? 0) + 1 })}
                onClick={() => onChoose(leaf)}
                onKeyDown={(event) => (event.key === "Enter" || event.key === " ") && onChoose(leaf)}
                x={x(place) - wide / 2}
                y={height - BOTTOM + 5}
                width={wide}
                height={40}
                fill="transparent"
              />
              <g aria-hidden="true" pointer-events="none">
                <rect x={x(place) - wide / 2} y={height - BOTTOM + 5} width={wide} height={20} rx={4} fill={groupColour(labels[leaf] ?? 0)} />
                {place % spare === 0 && (
                  <>
                    <text class="on-badge" x={x(place)} y={height - BOTTOM + 20} text-anchor="middle">
                      {(labels[leaf] ?? 0) + 1}
                    </text>
                    <text x={x(place)} y={height - BOTTOM + 40} text-anchor="middle" class={leaf === chosen ? "strong" : ""}>
                      {leaf + 1}
                    </text>
                  </>
                )}
              </g>
            </g>
          ))}
          <text x={LEFT + room / 2} y={height - 3} text-anchor="middle">
            {t("leaves-axis")}
          </text>
          <text transform={`translate(14 ${TOP + rise / 2}) rotate(-90)`} text-anchor="middle">
            {t("distance")}
          </text>
          <g
            class="cut"
            tabindex={0}
            role="slider"
            aria-orientation="vertical"
            aria-label={t("cut")}
            aria-valuemin={0}
            aria-valuemax={1}
            aria-valuenow={Number(cut.toFixed(3))}
            data-testid="cut"
            onKeyDown={key}
            onPointerDown={(event) => {
              held.current = true;
              (event.currentTarget as Element).setPointerCapture(event.pointerId);
            }}
            onPointerMove={(event) => held.current && onCut(under(event), false)}
            onPointerUp={(event) => {
              if (held.current) onCut(under(event), true);
              held.current = false;
            }}
          >
            <path class="grip" d={`M${LEFT} ${y(cut)}H${width - RIGHT}`} />
            <path class="line" d={`M${LEFT} ${y(cut)}H${width - RIGHT}`} />
            <rect class="knob" x={width - RIGHT - 64} y={y(cut) - 11} width={64} height={22} rx={4} />
            <text class="on-knob" x={width - RIGHT - 32} y={y(cut) + 5} text-anchor="middle">
              {`↕ ${cut.toFixed(3)}`}
            </text>
          </g>
        </svg>
      )}
    </div>
  );
}
