import type { Message } from "../api";
import { niceTicks, shown } from "../scales";
import { t } from "../words";
import { useBox } from "./useBox";
import { miller } from "./Rings";

const [LEFT, RIGHT, TOP, BOTTOM] = [62, 14, 10, 42];

/** How far each spot or ring lies from where it should, in per cent; hollow where it was not used. */
export function ResidualPlot({ points }: { points: readonly Message<"ResidualPoint">[] }) {
  const [box, width, height] = useBox();
  const radii = points.map((point) => point.expected);
  const reach = 1.15 * Math.max(0.1, ...points.map((point) => Math.abs(point.percent)));
  const [low, high] = [Math.min(...radii) * 0.95, Math.max(...radii) * 1.05];
  const x = (value: number) => LEFT + ((value - low) / (high - low || 1)) * (width - LEFT - RIGHT);
  const y = (value: number) => TOP + ((reach - value) / (2 * reach)) * (height - TOP - BOTTOM);
  return (
    <div ref={box} class="image curves">
      {width > 0 && (
        <svg class="overlay plot" width={width} height={height} role="img" aria-label={t("residual-title")}>
          <rect class="frame" x={LEFT} y={TOP} width={width - LEFT - RIGHT} height={Math.max(0, height - TOP - BOTTOM)} />
          <path class="grid" d={`M${LEFT} ${y(0)}H${width - RIGHT}`} />
          {niceTicks(low, high, width / 110).map((value) => (
            <text key={value} x={x(value)} y={height - BOTTOM + 18} text-anchor="middle">
              {shown(value)}
            </text>
          ))}
          {niceTicks(-reach, reach, 4).map((value) => (
            <text key={value} x={LEFT - 8} y={y(value)} dy="0.35em" text-anchor="end">
              {shown(value)}
            </text>
          ))}
          {points.map((point, index) => (
            <circle key={index} class={point.used ? "point" : "point unused"} cx={x(point.expected)} cy={y(point.percent)} r={4}>
              <title>{`${miller(point.hkl)}: ${shown(point.percent)} %`}</title>
            </circle>
          ))}
          <text x={LEFT + (width - LEFT - RIGHT) / 2} y={height - 5} text-anchor="middle">
            {t("expected-radius")}
          </text>
          <text transform={`translate(14 ${TOP + (height - TOP - BOTTOM) / 2}) rotate(-90)`} text-anchor="middle">
            {t("off-percent")}
          </text>
        </svg>
      )}
    </div>
  );
}
