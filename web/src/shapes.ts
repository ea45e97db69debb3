import type { Message } from "./api";

export type Disk = Message<"Disk">;
export type Ring = Message<"Ring">;
export type Rectangle = Message<"Rectangle">;
export type Window1d = Message<"Window">;
/** What can be drawn on an image and dragged. */
export type Shape = Disk | Ring | Rectangle;
export type ShapeKind = Shape["kind"];

/** A point of a shape that can be pulled: where it lies (row, column) and what it changes. */
export interface Handle {
  readonly name: "edge" | "inner" | "outer" | "first" | "last";
  readonly at: readonly [number, number];
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** Returns a shape of a kind that fits an image: about its middle, a quarter of its smaller side across. */
export function fresh(kind: ShapeKind, [rows, columns]: readonly [number, number]): Shape {
  const center: [number, number] = [(rows - 1) / 2, (columns - 1) / 2];
  const radius = Math.max(0.5, Math.min(rows, columns) / 8);
  if (kind === "disk") return { kind, center, radius };
  if (kind === "annulus") return { kind, center, inner: radius, outer: 2.5 * radius };
  const half = [Math.max(0, Math.floor(rows / 8)), Math.max(0, Math.floor(columns / 8))] as const;
  const middle = [Math.floor(rows / 2), Math.floor(columns / 2)] as const;
  return {
    kind,
    first: [Math.max(0, middle[0] - half[0]), Math.max(0, middle[1] - half[1])],
    last: [Math.min(rows - 1, middle[0] + half[0]), Math.min(columns - 1, middle[1] + half[1])],
  };
}

/** Returns the middle of a shape (row, column). */
export function middle(shape: Shape): [number, number] {
  if (shape.kind === "rectangle") {
    return [(shape.first[0] + shape.last[0]) / 2, (shape.first[1] + shape.last[1]) / 2];
  }
  return [shape.center[0], shape.center[1]];
}

/** Returns the shape moved by rows and columns, its middle kept inside the image. */
export function moved(shape: Shape, by: readonly [number, number], [rows, columns]: readonly [number, number]): Shape {
  if (shape.kind !== "rectangle") {
    const center: [number, number] = [
      clamp(shape.center[0] + by[0], 0, rows - 1),
      clamp(shape.center[1] + by[1], 0, columns - 1),
    ];
    return { ...shape, center };
  }
  const down = clamp(Math.round(by[0]), -shape.first[0], rows - 1 - shape.last[0]);
  const right = clamp(Math.round(by[1]), -shape.first[1], columns - 1 - shape.last[1]);
  return {
    ...shape,
    first: [shape.first[0] + down, shape.first[1] + right],
    last: [shape.last[0] + down, shape.last[1] + right],
  };
}

/** Returns the points by which a shape is made larger or smaller. */
export function handles(shape: Shape): Handle[] {
  if (shape.kind === "disk") return [{ name: "edge", at: [shape.center[0], shape.center[1] + shape.radius] }];
  if (shape.kind === "annulus") {
    return [
      { name: "inner", at: [shape.center[0], shape.center[1] + shape.inner] },
      { name: "outer", at: [shape.center[0], shape.center[1] + shape.outer] },
    ];
  }
  return [
    { name: "first", at: [shape.first[0] - 0.5, shape.first[1] - 0.5] },
    { name: "last", at: [shape.last[0] + 0.5, shape.last[1] + 0.5] },
  ];
}

/** Returns the shape with a handle pulled to a place; sizes stay positive and inside their order. */
export function pulled(
  shape: Shape,
  name: Handle["name"],
  to: readonly [number, number],
  [rows, columns]: readonly [number, number],
): Shape {
  if (shape.kind === "rectangle") {
    const row = clamp(Math.round(to[0]), 0, rows - 1);
    const column = clamp(Math.round(to[1]), 0, columns - 1);
    if (name === "first") return { ...shape, first: [Math.min(row, shape.last[0]), Math.min(column, shape.last[1])] };
    return { ...shape, last: [Math.max(row, shape.first[0]), Math.max(column, shape.first[1])] };
  }
  const distance = Math.hypot(to[0] - shape.center[0], to[1] - shape.center[1]);
  const radius = clamp(Math.round(2 * distance) / 2, 0.5, Math.hypot(rows, columns));
  if (shape.kind === "disk") return { ...shape, radius };
  if (name === "inner") return { ...shape, inner: clamp(radius, 0, shape.outer - 0.5) };
  return { ...shape, outer: Math.max(radius, shape.inner + 0.5) };
}

/** Returns the shape larger (or smaller) by so many pixels all around. */
export function grown(shape: Shape, by: number, size: readonly [number, number]): Shape {
  if (shape.kind === "disk") return { ...shape, radius: Math.max(0.5, shape.radius + by) };
  if (shape.kind === "annulus") return { ...shape, outer: Math.max(shape.inner + 0.5, shape.outer + by) };
  const step = Math.round(by) || Math.sign(by);
  return pulled(
    pulled(shape, "first", [shape.first[0] - step, shape.first[1] - step], size),
    "last",
    [shape.last[0] + step, shape.last[1] + step],
    size,
  );
}

/** Returns the rectangle between two corners, in whole pixels of the image. */
export function spanned(
  a: readonly [number, number],
  b: readonly [number, number],
  [rows, columns]: readonly [number, number],
): Rectangle {
  const row = (value: number) => clamp(Math.round(value), 0, rows - 1);
  const column = (value: number) => clamp(Math.round(value), 0, columns - 1);
  return {
    kind: "rectangle",
    first: [row(Math.min(a[0], b[0])), column(Math.min(a[1], b[1]))],
    last: [row(Math.max(a[0], b[0])), column(Math.max(a[1], b[1]))],
  };
}
