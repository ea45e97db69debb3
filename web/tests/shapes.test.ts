import { describe, expect, test } from "vitest";
import { fit } from "../src/geometry";
import { stepped } from "../src/frames";
import { niceTicks, scaleBar, shown } from "../src/scales";
import { type Shape, fresh, grown, handles, moved, pulled, spanned } from "../src/shapes";
import { brackets } from "../src/tree";
import { type Zoom, showing, whole, zoomed, zoomedBy } from "../src/zoom";

const size = [31, 26] as const;
const kinds = ["disk", "annulus", "rectangle"] as const;

function valid(shape: Shape): void {
  if (shape.kind === "disk") expect(shape.radius).toBeGreaterThan(0);
  if (shape.kind === "annulus") expect(shape.outer).toBeGreaterThan(shape.inner);
  if (shape.kind === "rectangle") {
    for (const axis of [0, 1] as const) {
      expect(shape.first[axis]).toBeGreaterThanOrEqual(0);
      expect(shape.last[axis]).toBeGreaterThanOrEqual(shape.first[axis]);
      expect(shape.last[axis]).toBeLessThan(size[axis]);
      expect(Number.isInteger(shape.first[axis])).toBe(true);
    }
  }
}

describe("shapes", () => {
  test.each(kinds)("%s stays valid however it is moved, pulled and grown", (kind) => {
    let shape = fresh(kind, size);
    valid(shape);
    let seed = 7;
    const random = () => ((seed = (seed * 16807) % 2147483647) / 2147483647) * 80 - 40;
    for (let turn = 0; turn < 300; turn++) {
      shape = moved(shape, [random(), random()], size);
      valid(shape);
      for (const handle of handles(shape)) {
        shape = pulled(shape, handle.name, [random(), random()], size);
        valid(shape);
      }
      shape = grown(shape, Math.round(random() / 8), size);
      valid(shape);
    }
  });
  test("moving there and back changes nothing away from the edges", () => {
    for (const kind of kinds) {
      const shape = fresh(kind, size);
      expect(moved(moved(shape, [2, -3], size), [-2, 3], size)).toEqual(shape);
    }
  });
  test("a rectangle is the same from whichever corner it is drawn", () => {
    expect(spanned([20.2, 3], [4, 18.8], size)).toEqual(spanned([4, 18.8], [20.2, 3], size));
  });
  test("works on images of one row or one pixel", () => {
    for (const kind of kinds) expect(() => fresh(kind, [1, 1])).not.toThrow();
  });
});

describe("geometry", () => {
  const margins = { left: 50, top: 5, right: 70, bottom: 40 };
  test.each([[256, 256], [13, 29], [1000, 3], [2, 4000]])("%i x %i fits, and places turn back into pixels", (rows, columns) => {
    const geometry = fit([rows, columns], [700, 500], margins);
    expect(geometry.left).toBeGreaterThanOrEqual(margins.left - 1e-9);
    expect(geometry.left + geometry.width).toBeLessThanOrEqual(700 - margins.right + 1e-9);
    expect(geometry.top + geometry.height).toBeLessThanOrEqual(500 - margins.bottom + 1e-9);
    const [row, column] = geometry.at(geometry.x(columns - 1), geometry.y(1));
    expect(row).toBeCloseTo(1);
    expect(column).toBeCloseTo(columns - 1);
    expect(geometry.toScale).toBe(Math.max(rows / columns, columns / rows) <= 10);
    if (geometry.toScale) expect(geometry.across).toBeCloseTo(geometry.down);
  });
});

describe("zoom", () => {
  const image = [40, 70] as const;
  const margins = { left: 50, top: 5, right: 70, bottom: 40 };
  const seen = (zoom: Zoom) => {
    const { left, top, width, height, at } = fit(image, [700, 500], margins, zoom);
    return [at(left, top), at(left + width, top + height)] as const;
  };
  const within = (zoom: Zoom) => {
    const [first, last] = seen(zoom);
    for (const along of [0, 1] as const) {
      expect(first[along]).toBeGreaterThanOrEqual(-0.5 - 1e-9);
      expect(last[along]).toBeLessThanOrEqual(image[along] - 0.5 + 1e-9);
      expect(last[along] - first[along]).toBeCloseTo(image[along] / zoom.factor);
    }
  };
  test("about a place leaves that place where it is, and never shows what is not there", () => {
    const at = [20.3, 31.7] as const;
    const before = fit(image, [700, 500], margins);
    const zoom = zoomed(whole, 3, at, image);
    const after = fit(image, [700, 500], margins, zoom);
    expect(after.x(at[1])).toBeCloseTo(before.x(at[1]));
    expect(after.y(at[0])).toBeCloseTo(before.y(at[0]));
    expect(after.across).toBeCloseTo(3 * before.across);
    let now = whole;
    let seed = 5;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    for (let turn = 0; turn < 300; turn++) {
      now = zoomed(now, 0.5 + 1.5 * random(), [random() * 40, random() * 70], image);
      now = zoomedBy(["+", "-", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"][turn % 6] as string, now, image) ?? now;
      within(now);
    }
  });
  test("in and out again is the whole image, and so is 0", () => {
    expect(zoomed(zoomed(whole, 4, [3, 5], image), 1 / 4, [30, 60], image)).toEqual(whole);
    expect(zoomedBy("0", zoomed(whole, 4, [3, 5], image), image)).toEqual(whole);
    expect(zoomedBy("ArrowUp", whole, image)).toBeNull();
    expect(zoomedBy("w", whole, image)).toBeNull();
  });
  test("follows a cursor that leaves what is seen, and no other", () => {
    const zoom = zoomed(whole, 4, [10, 10], image);
    for (const place of [[0, 0], [39, 69], [20, 3]] as const) {
      const [first, last] = seen(showing(zoom, place, image));
      for (const along of [0, 1] as const) {
        expect(place[along]).toBeGreaterThanOrEqual(first[along] + 0.5 - 1e-9);
        expect(place[along]).toBeLessThanOrEqual(last[along] - 0.5 + 1e-9);
      }
    }
    expect(showing(zoom, [10, 10], image)).toEqual(zoom);
  });
});

describe("keys", () => {
  test("walk both axes of a scan, and the line of a line scan", () => {
    expect(stepped([5, 5], [-1, 0], 1)).toEqual([4, 5]);
    expect(stepped([5, 5], [0, 1], 10)).toEqual([5, 15]);
    expect(stepped([5], [0, -1], 1)).toEqual([4]);
    expect(stepped([2, 5, 5], [1, 0], 1)).toEqual([2, 6, 5]);
  });
});

describe("numbers", () => {
  test("ticks are round and inside", () => {
    expect(niceTicks(0, 1)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    for (const value of niceTicks(-1.3, 7.9)) expect(value).toBeGreaterThanOrEqual(-1.3);
    expect(niceTicks(3, 3)).toEqual([3]);
  });
  test.each([[0, "0"], [1234.6, "1235"], [-0.5, "−0.5"], [1.2e-7, "1.2×10⁻⁷"], [NaN, "–"], [1e5, "1×10⁵"], [0.1 + 0.2, "0.3"]])("%d is %s", (value, text) => {
    expect(shown(value)).toBe(text);
  });
  test("a scale bar is a round length, at most a third of the image", () => {
    const bar = scaleBar({ name: "x", size: 64, scale: 0.7, offset: 0, unit: "nm" });
    expect(bar?.text).toBe("10 nm");
    expect(bar?.pixels).toBeCloseTo(10 / 0.7);
  });
});

describe("tree", () => {
  test("brackets join what scipy's linkage joins", () => {
    const tree = [
      { a: 0, b: 2, height: 0.1, size: 2 },
      { a: 1, b: 3, height: 0.5, size: 3 },
    ];
    const [low, high] = brackets(tree, [0, 2, 1]);
    expect(low).toMatchObject({ left: 0, right: 1, height: 0.1 });
    expect(high).toMatchObject({ left: 0.5, right: 2, leftFrom: 0.1, rightFrom: 0 });
    expect([...(high?.leaves ?? [])].sort()).toEqual([0, 1, 2]);
  });
});
