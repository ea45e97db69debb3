import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { type NdArray, imageSize } from "../arrays";
import type { TableName } from "../colours";
import { type Contrast, type Limits, draw, limits } from "../contrast";
import { isImage } from "../frames";

interface Props {
  readonly image: NdArray;
  readonly label: string;
  readonly contrast: Contrast;
  readonly range?: Limits | undefined;
  readonly colours?: TableName | undefined;
  /** Row and column of the cursor, where the image is a map. */
  readonly cursor?: readonly [number, number] | undefined;
  readonly onMove?: ((row: number, column: number) => void) | undefined;
}

/** A small picture without axes: an image in its own aspect ratio, or a line. */
export function Thumb({ image, label, contrast, range, colours, cursor, onMove }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = useMemo(() => range ?? limits(image, contrast), [image, contrast, range]);
  useLayoutEffect(() => {
    if (canvas.current) draw(canvas.current, image, shown, colours ?? contrast.colours);
  }, [image, shown, colours, contrast.colours]);
  if (!isImage(image)) return <Sparkline values={image} label={label} />;
  const [rows, columns] = imageSize(image);
  const click = (event: MouseEvent) => {
    const frame = (event.currentTarget as Element).getBoundingClientRect();
    onMove?.(
      Math.floor(((event.clientY - frame.top) / frame.height) * rows),
      Math.floor(((event.clientX - frame.left) / frame.width) * columns),
    );
  };
  return (
    <span class="thumb" style={{ aspectRatio: `${columns} / ${rows}` }} onClick={onMove && click}>
      <canvas ref={canvas} class="pixels" role="img" aria-label={label} />
      {cursor && cursor[0] < rows && cursor[1] < columns && (
        <i
          class="dot"
          style={{ left: `${(100 * (cursor[1] + 0.5)) / columns}%`, top: `${(100 * (cursor[0] + 0.5)) / rows}%` }}
        />
      )}
    </span>
  );
}

function Sparkline({ values, label }: { values: NdArray; label: string }) {
  let high = 1e-300;
  for (const value of values.data) if (value > high && value < Infinity) high = value;
  const last = Math.max(1, values.data.length - 1);
  const points = Array.from(values.data, (value, index) => `${((100 * index) / last).toFixed(2)},${(48 - (46 * value) / high).toFixed(2)}`);
  return (
    <svg class="spark" viewBox="0 0 100 50" preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points.join(" ")} vector-effect="non-scaling-stroke" />
    </svg>
  );
}
