import { niceTicks, shown, tickTexts } from "../scales";
import { useBox } from "./useBox";

export interface Line {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
  /** Standard errors, drawn as bars. */
  readonly errors?: readonly (number | null)[] | undefined;
}

interface Props {
  readonly label: string;
  readonly lines: readonly Line[];
  readonly across: string;
  readonly up: string;
  readonly marked?: number | null | undefined;
  readonly dots?: boolean;
}

const [LEFT, RIGHT, TOP, BOTTOM] = [88, 14, 12, 42];
const dashes = ["", "7 4", "2 3", "9 3 2 3"];

/** Curves over numbers: told apart by dashes and names, not by colour alone. */
export function Curve({ label, lines, across, up, marked, dots }: Props) {
  const [box, width, height] = useBox();
  const xs = lines.flatMap((line) => line.x);
  const ys = lines.flatMap((line) => line.y.flatMap((value, index) => [value, value === null ? null : value + (line.errors?.[index] ?? 0)])).filter((value): value is number => value !== null && Number.isFinite(value));
  if (!ys.length) return <div ref={box} class="nothing" />;
  const range = (values: number[]): [number, number] => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
    return [low - margin, high + margin];
  };
  const [low, high] = range(ys);
  const [left, right] = [Math.min(...xs), Math.max(...xs, Math.min(...xs) + 1)];
  const x = (value: number) => LEFT + ((value - left) / (right - left)) * (width - LEFT - RIGHT);
  const y = (value: number) => height - BOTTOM - ((value - low) / (high - low)) * (height - TOP - BOTTOM);
  const whole = niceTicks(left, right, Math.max(2, (width - LEFT) / 80)).filter((value) => Number.isInteger(value));
  const rungs = niceTicks(low, high, Math.max(2, (height - BOTTOM) / 45));
  const texts = tickTexts(rungs);
  return (
    <div ref={box} class="image curves">
      <svg class="overlay plot" width={width} height={height} role="img" aria-label={label}>
        <rect x={LEFT} y={TOP} width={Math.max(0, width - LEFT - RIGHT)} height={Math.max(0, height - TOP - BOTTOM)} class="frame" />
        {whole.map((value) => (
          <text key={value} x={x(value)} y={height - BOTTOM + 18} text-anchor="middle">
            {shown(value)}
          </text>
        ))}
        {rungs.map((value, index) => (
          <text key={value} x={LEFT - 8} y={y(value)} dy="0.35em" text-anchor="end">
            {texts[index]}
          </text>
        ))}
        {marked != null && <path class="at" d={`M${x(marked)} ${TOP}V${height - BOTTOM}`} />}
        {lines.map((line, which) => (
          <g key={line.name}>
            <path class={`curve c${which}`} d={path(line, x, y)} stroke-dasharray={dashes[which % dashes.length]} />
            {line.errors?.map((error, index) => {
              const [right, above] = [line.x[index], line.y[index]];
              if (error == null || above == null || right === undefined) return null;
              return <path key={index} class={`curve c${which}`} d={`M${x(right)} ${y(above - error)}V${y(above + error)}`} />;
            })}
            {dots &&
              line.x.map((value, index) => {
                const above = line.y[index];
                return above == null ? null : <circle key={value} class={`c${which}`} cx={x(value)} cy={y(above)} r={3} />;
              })}
          </g>
        ))}
        {lines.length > 1 &&
          lines.map((line, which) => (
            <g key={line.name} transform={`translate(${width - RIGHT - 190} ${TOP + 16 + 18 * which})`}>
              <path class={`curve c${which}`} d="M0 -4h28" stroke-dasharray={dashes[which % dashes.length]} />
              <text x={34}>{line.name}</text>
            </g>
          ))}
        <text x={LEFT + (width - LEFT - RIGHT) / 2} y={height - 6} text-anchor="middle">
          {across}
        </text>
        <text transform={`translate(14 ${TOP + (height - TOP - BOTTOM) / 2}) rotate(-90)`} text-anchor="middle">
          {up}
        </text>
      </svg>
    </div>
  );
}

function path(line: Line, x: (value: number) => number, y: (value: number) => number): string {
  let text = "";
  let open = false;
  line.x.forEach((value, index) => {
    const above = line.y[index];
    const there = above != null && Number.isFinite(above);
    if (there) text += `${open ? "L" : "M"}${x(value).toFixed(1)} ${y(above).toFixed(1)}`;
    open = there;
  });
  return text;
}
