import type { ComponentChildren } from "preact";
import type { NdArray } from "../arrays";
import type { TableName } from "../colours";
import type { Contrast, Limits } from "../contrast";
import { indexOf, isImage, rowAndColumn } from "../frames";
import type { Geometry } from "../geometry";
import type { AxisModel } from "../scales";
import { cursor, moveCursor } from "../state";
import { ImageView } from "./ImageView";
import { LinePlot } from "./LinePlot";

interface Props {
  readonly label: string;
  readonly array: NdArray | null;
  readonly axes: readonly AxisModel[];
  readonly contrast: Contrast;
  readonly quantity: string;
  readonly range?: Limits | undefined;
  readonly colours?: TableName | undefined;
  readonly overlay?: ((geometry: Geometry) => ComponentChildren) | undefined;
}

/** A pattern or spectrum of a result, as an image or as a line: whatever its axes say. */
export function PatternPicture({ array, axes, quantity, contrast, overlay, ...rest }: Props) {
  if (array && !isImage(array)) {
    return <LinePlot label={rest.label} values={array} axis={axes.at(-1) as AxisModel} quantity={quantity} log={contrast.stretch === "log"} />;
  }
  return <ImageView {...rest} image={array} axes={axes} quantity={quantity} contrast={contrast} overlay={overlay} />;
}

/** A map of a result, with the cursor that all screens share. */
export function MapPicture({ array, axes, quantity, contrast, overlay, ...rest }: Props) {
  if (array && !isImage(array)) {
    return (
      <LinePlot
        label={rest.label}
        values={array}
        axis={axes.at(-1) as AxisModel}
        quantity={quantity}
        cursor={cursor.value.at(-1)}
        onMove={(index) => moveCursor([index])}
      />
    );
  }
  return (
    <ImageView
      {...rest}
      image={array}
      axes={axes}
      quantity={quantity}
      contrast={contrast}
      overlay={overlay}
      cursor={rowAndColumn(cursor.value)}
      onMove={(row, column) => moveCursor(indexOf(row, column, axes.length))}
    />
  );
}
