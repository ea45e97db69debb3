/** A block of numbers as the server sends it: row by row, with its shape. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Uint8Array | Uint16Array | Int32Array | Uint32Array;
}

const kinds = {
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const;

/** Returns the array that the bytes hold; throws where bytes, shape and type do not agree. */
export function decode(bytes: ArrayBuffer, shape: string, dtype: string): NdArray {
  const kind = kinds[dtype as keyof typeof kinds];
  if (!kind) throw new Error(`unknown number type ${dtype}`);
  const sizes = shape === "" ? [] : shape.split(/[,x ]+/).filter(Boolean).map(Number);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count * kind.BYTES_PER_ELEMENT !== bytes.byteLength) {
    throw new Error(`${bytes.byteLength} bytes do not hold ${shape} of ${dtype}`);
  }
  return { shape: sizes, data: new kind(bytes) };
}

/** Returns rows and columns of an image; a line counts as one row. */
export function imageSize(array: NdArray): [number, number] {
  const [first = 1, second] = array.shape.slice(-2);
  return second === undefined ? [1, first] : [first, second];
}

/** Returns image `index` of a stack without copying. */
export function slice(stack: NdArray, index: number): NdArray {
  const shape = stack.shape.slice(1);
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, data: stack.data.subarray(index * size, (index + 1) * size) };
}

/** Returns the value at a row and column, or NaN outside. */
export function at(array: NdArray, row: number, column: number): number {
  const [rows, columns] = imageSize(array);
  if (row < 0 || column < 0 || row >= rows || column >= columns) return NaN;
  return array.data[row * columns + column] ?? NaN;
}
