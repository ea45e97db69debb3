import type { Message } from "./api";

export type AxisModel = Message<"AxisModel">;

/** Returns about `count` round values between low and high. */
export function niceTicks(low: number, high: number, count = 4): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return Number.isFinite(low) ? [low] : [];
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => span / size <= count) ?? 10 * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/** Returns a number as text, short, with a proper minus sign and a power of ten where it is very small or large. */
export function shown(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e") as [string, string];
    const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return `${short}×10${raised(Number(exponent))}`.replace("-", "−");
  }
  const rounded = Number(value.toPrecision(Math.max(digits, Math.floor(Math.log10(size)) + 1)));
  return String(rounded).replace("-", "−");
}

const raised = (power: number): string =>
  String(power).replace(/[-0-9]/g, (sign) => (sign === "-" ? "⁻" : ("⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)] as string)));

/** Returns ticks as text, with as many digits as tell one from the next. */
export function tickTexts(values: readonly number[]): string[] {
  const step = Math.min(...values.slice(1).map((value, index) => Math.abs(value - (values[index] as number))));
  const largest = Math.max(...values.map(Math.abs));
  const digits = Number.isFinite(step) && step > 0 ? Math.ceil(Math.log10(largest / step) + 1.3) : 3;
  return values.map((value) => shown(value, Math.max(3, digits)));
}

/** Returns the whole numbers that a text such as `2..10` or `2, 4, 8` means; null where it means none. */
export function numbersOf(text: string): number[] | null {
  const numbers = text.split(/[, ]+/).flatMap((part) => {
    const [first, last] = part.split("..").map(Number) as [number, number | undefined];
    const end = last ?? first;
    return first >= 1 && end >= first && end < 1000 ? Array.from({ length: Math.floor(end - first) + 1 }, (_, step) => first + step) : [];
  });
  return numbers.length ? [...new Set(numbers)].sort((a, b) => a - b) : null;
}

/** Returns words from a record as a sentence: a capital first, a full stop last. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (!trimmed) return "";
  return trimmed[0]?.toUpperCase() + trimmed.slice(1) + (/[.!?。]$/.test(trimmed) ? "" : ".");
}

/** Returns the unit as it is printed: Å⁻¹ for 1/angstrom. */
export function unitText(unit: string): string {
  const known: Record<string, string> = { "1/angstrom": "Å⁻¹", angstrom: "Å", "1/nm": "nm⁻¹", um: "µm" };
  return known[unit] ?? unit;
}

export const toValue = (axis: AxisModel, index: number): number => axis.offset + index * axis.scale;
export const toIndex = (axis: AxisModel, value: number): number => (value - axis.offset) / axis.scale;

/** Returns name and unit of an axis. */
export const axisTitle = (axis: AxisModel): string => `${axis.name} (${unitText(axis.unit)})`;

/** Returns the length of a scale bar: a round number of units, about a quarter of the axis, and its pixels. */
export function scaleBar(axis: AxisModel): { pixels: number; text: string } | null {
  const step = Math.abs(axis.scale);
  const whole = axis.size * step;
  if (!(whole > 0)) return null;
  const power = 10 ** Math.floor(Math.log10(whole / 4));
  const length = [5, 2, 1].map((factor) => factor * power).find((size) => size <= whole / 3.3) ?? power;
  return { pixels: length / step, text: `${shown(length)} ${unitText(axis.unit)}` };
}
