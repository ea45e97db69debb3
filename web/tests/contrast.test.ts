import { describe, expect, test } from "vitest";
import type { NdArray } from "../src/arrays";
import { decode, slice } from "../src/arrays";
import { table } from "../src/colours";
import { limits, paint, place, valueAt } from "../src/contrast";

const image = (...values: number[]): NdArray => ({ shape: [1, values.length], data: Float32Array.from(values) });
const look = { low: 0, high: 100, colours: "grey" } as const;

describe("limits", () => {
  test.each(["linear", "sqrt", "log"] as const)("%s: low is below high for every image", (stretch) => {
    for (const values of [[0], [0, 0], [5, 5], [NaN, NaN], [-3, -1], [1e-30, 1], [0, 1e9], [Infinity, 2, NaN]]) {
      const range = limits(image(...values), { ...look, stretch });
      expect(range.high).toBeGreaterThan(range.low);
      if (stretch === "log") expect(range.low).toBeGreaterThan(0);
    }
  });
  test("percentiles leave a few bright pixels out", () => {
    const data = new Float32Array(1000).map((_, index) => (index < 5 ? 1e6 : index / 1000));
    expect(limits({ shape: [10, 100], data }, { ...look, stretch: "linear", high: 99 }).high).toBeLessThan(1.01);
  });
  test("the brightest pixel of a large image is not missed", () => {
    const data = new Float32Array(500 * 501);
    data[77_777] = 42;
    expect(limits({ shape: [500, 501], data }, { ...look, stretch: "linear" }).high).toBe(42);
  });
});

describe("place and value", () => {
  test.each(["linear", "sqrt", "log"] as const)("%s: one is the inverse of the other", (stretch) => {
    const range = { low: stretch === "linear" ? -2 : 0.5, high: 700, stretch };
    for (const share of [0, 0.1, 0.5, 0.93, 1]) {
      const value = valueAt(share, range);
      expect(place(value, range)).toBeCloseTo(stretch === "sqrt" ? share : share, 9);
    }
  });
});

describe("paint", () => {
  test("gives the first colour to low, the last to high, and none to no number", () => {
    const target = new Uint32Array(4);
    paint(image(0, 10, NaN, 99), { low: 0, high: 10, stretch: "linear" }, "grey", target);
    expect([...target]).toEqual([table("grey")[0], table("grey")[255], 0, table("grey")[255]]);
  });
});

describe("decode", () => {
  test("reads a shape that is not square", () => {
    const array = decode(new Uint16Array([1, 2, 3, 4, 5, 6]).buffer, "2,3", "uint16");
    expect(array.shape).toEqual([2, 3]);
    expect([...slice(array, 1).data]).toEqual([4, 5, 6]);
  });
  test.each([["2,2", "uint16"], ["2,3", "float99"], ["2,3", "float32"]])("refuses bytes that are not %s of %s", (shape, dtype) => {
    expect(() => decode(new ArrayBuffer(12), shape, dtype)).toThrow();
  });
});
