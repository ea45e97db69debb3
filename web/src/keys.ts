import { card, cursor, detector, moveCursor, run } from "./state";
import { imageShape, stepped } from "./frames";
import { moved } from "./shapes";

const scanKeys: Record<string, readonly [number, number]> = { w: [-1, 0], s: [1, 0], a: [0, -1], d: [0, 1] };
const detectorKeys: Record<string, readonly [number, number]> = { i: [-1, 0], k: [1, 0], j: [0, -1], l: [0, 1] };

/** W A S D move the cursor on the scan, I J K L the detector on the pattern; with shift ten times as far. */
export function hearKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
  const step = event.shiftKey ? 10 : 1;
  const key = event.key.toLowerCase();
  const onScan = scanKeys[key];
  const onPattern = detectorKeys[key];
  if (onScan) moveCursor(stepped(cursor.value, onScan, step));
  else if (onPattern) moveDetector(onPattern, step);
  else return;
  event.preventDefault();
}

function moveDetector(by: readonly [number, number], step: number): void {
  const shape = detector.value;
  const axes = card.value?.pattern_axes ?? run.value?.pattern_axes;
  if (!shape || !axes) return;
  if (shape.kind === "window") {
    const size = axes[0]?.size ?? 1;
    const shift = Math.min(size - 1 - shape.last, Math.max(-shape.first, (by[0] + by[1]) * step));
    detector.value = { ...shape, first: shape.first + shift, last: shape.last + shift };
  } else {
    detector.value = moved(shape, [by[0] * step, by[1] * step], imageShape(axes));
  }
}
