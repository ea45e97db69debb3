import { describe, expect, test } from "vitest";
import palette from "../src/palette.css?raw";
import styles from "../src/styles.css?raw";
import { colourAt, contrastRatio, groupColours, luminance, table } from "../src/colours";

const colours = Object.fromEntries([...palette.matchAll(/--([\w-]+): (#\w{6})/g)].map(([, name, hex]) => [name, hex])) as Record<string, string>;
const grounds = ["ground", "panel", "raised"];
const texts = ["text", "quiet", "accent", "warn", "bad", "good"];

describe("contrast (WCAG 2.2, at least 4.5)", () => {
  test.each(grounds.flatMap((ground) => texts.map((text) => [text, ground] as const)))("%s on %s", (text, ground) => {
    expect(contrastRatio(colours[text] as string, colours[ground] as string)).toBeGreaterThanOrEqual(4.5);
  });
  test("words on buttons, badges and the cut's knob", () => {
    expect(contrastRatio(colours["on-accent"] as string, colours["accent"] as string)).toBeGreaterThanOrEqual(4.5);
    for (const colour of groupColours) expect(contrastRatio("#000000", colour)).toBeGreaterThanOrEqual(4.5);
    expect(contrastRatio("#201500", colours["warn"] as string)).toBeGreaterThanOrEqual(4.5);
    expect(contrastRatio(colours["bad"] as string, "#3a1f22")).toBeGreaterThanOrEqual(4.5);
  });
  test("edges of controls are seen (at least 3)", () => {
    for (const ground of grounds) expect(contrastRatio(colours["edge"] as string, colours[ground] as string)).toBeGreaterThanOrEqual(3);
  });
  test("rules name no colour of a text but the palette's and those checked here", () => {
    const named = [...styles.matchAll(/(?<![-\w])color: (#\w+)/g)].map((match) => match[1]);
    expect(named.filter((hex) => hex !== "#000")).toEqual([]);
  });
});

const hex = (rgb: readonly number[]) => `#${rgb.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
const lightness = (place: number, name: "viridis" | "cividis" | "grey") => {
  const y = luminance(hex(colourAt(name, place)));
  return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
};

describe("colour tables", () => {
  test.each(["viridis", "cividis", "grey"] as const)("%s grows lighter all the way, in even steps", (name) => {
    const levels = Array.from({ length: 33 }, (_, step) => lightness(step / 32, name));
    const steps = levels.slice(1).map((level, index) => level - (levels[index] as number));
    const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length;
    for (const step of steps) {
      expect(step).toBeGreaterThan(0.4 * mean);
      expect(step).toBeLessThan(1.8 * mean);
    }
  });
  test("are packed as ImageData wants them", () => {
    expect(table("grey")[255]).toBe(0xffffffff);
    expect(table("viridis")[0]).toBe(((255 << 24) | (0x54 << 16) | (0x01 << 8) | 0x44) >>> 0);
  });
});
