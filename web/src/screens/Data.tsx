import { signal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { type Message, type Picture, api } from "../api";
import { imageShape, indexOf, isImage, rowAndColumn } from "../frames";
import { shown, toValue, unitText } from "../scales";
import { type ShapeKind, fresh, spanned } from "../shapes";
import {
  card,
  complain,
  cursor,
  detector,
  live,
  moveCursor,
  patternContrast,
  region,
  scanContrast,
  scanId,
} from "../state";
import { at } from "../arrays";
import { drawnAs } from "../contrast";
import { ImageView } from "../views/ImageView";
import { LinePlot } from "../views/LinePlot";
import { ShapeOverlay } from "../views/ShapeOverlay";
import { Actions } from "../views/Actions";
import { Choice, ContrastControls, NumberField } from "../views/controls";
import { CardDetails } from "../views/CardDetails";
import { t } from "../words";

type PatternOf = "cursor" | "region" | Message<"FigureRequest">["statistic"] & string;
type ImageOf = "virtual" | "sum" | "max" | "variance";

export const patternOf = signal<PatternOf>("cursor");
const imageOf = signal<ImageOf>("sum");
/** Whether a hand is dragging: then quick sums of bins do. */
const dragging = signal(false);
const draggingRegion = signal(false);
const pattern = signal<Picture | null>(null);
const scanImage = signal<Picture | null>(null);
const latency = signal<number | null>(null);

const AGAIN = 500; // ms between two looks at a statistic of a scan that is being read

/** Shows a statistic, and again as more of the scan is in it; returns what ends that. */
function follow(path: string, take: (picture: Picture) => void): () => void {
  let wanted = true;
  const look = (): Promise<void> =>
    api.picture(path).then((picture) => {
      if (!wanted) return;
      take(picture);
      if (picture.done < 1) setTimeout(() => wanted && look().catch(complain), AGAIN);
    });
  look().catch(complain);
  return () => {
    wanted = false;
  };
}

/** Screen 1: scan image and pattern side by side, linked by the cursor, a detector and a region. */
export function Data() {
  const moved = useRef<number | null>(null);

  useSignalEffect(() => {
    const id = scanId.value;
    const of = patternOf.value;
    const connection = live.value;
    if (!id || !connection) return;
    const started = performance.now();
    const take = (picture: Picture) => {
      moved.current = of === "cursor" ? started : null;
      pattern.value = picture;
    };
    if (of === "cursor") connection.ask({ what: "pattern", position: [...cursor.value] }, take, complain);
    else if (of === "region") {
      if (region.value) connection.ask({ what: "region", region: region.value, exact: !draggingRegion.value }, take, complain);
    } else return follow(`scans/${id}/summary/${of}`, take);
  });

  useSignalEffect(() => {
    const id = scanId.value;
    const of = imageOf.value;
    const connection = live.value;
    if (!id || !connection) return;
    const take = (picture: Picture) => {
      scanImage.value = picture;
    };
    if (of === "virtual") {
      if (detector.value) connection.ask({ what: "virtual", detector: detector.value, exact: !dragging.value }, take, complain);
    } else return follow(`scans/${id}/map/${of}`, take);
  });

  if (!card.value) return <p class="advice">{t("no-scan")}</p>;
  const drawn = () => {
    if (moved.current === null) return;
    const measured = performance.measure("cursor-to-pattern", { start: moved.current });
    latency.value = measured.duration;
    moved.current = null;
  };
  return (
    <div class="two">
      <ScanSide />
      <PatternSide onDrawn={drawn} />
      <Status />
    </div>
  );
}

function ScanSide() {
  const facts = card.value as Message<"Card">;
  const axes = facts.scan_axes;
  const size = imageShape(axes);
  const picture = scanImage.value;
  const quantity = imageOf.value === "virtual" ? t("counts-in-detector") : t(imageOf.value);
  const setRegion = (shape: typeof region.value, ended = true) => {
    draggingRegion.value = !ended;
    region.value = shape;
    if (shape) patternOf.value = "region";
    else if (patternOf.value === "region") patternOf.value = "cursor";
  };
  return (
    <section aria-labelledby="scan-title">
      <h2 id="scan-title">{t("scan-image")}</h2>
      <div class="tools">
        <Choice
          word="shows"
          hint={t("scan-shows-help")}
          value={imageOf.value}
          options={(["virtual", "sum", "max", "variance"] as const).map((of) => [of, t(of)] as const)}
          onChange={(of) => {
            if (of === "virtual" && !detector.value) setDetector(facts.kind === "spectra" ? "window" : "disk");
            imageOf.value = of;
          }}
        />
        <Choice
          word="region"
          hint={t("region-help")}
          value={region.value?.kind ?? "none"}
          options={
            axes.length === 1
              ? [["none", t("none")], ["window", t("window")]]
              : [["none", t("none")], ["rectangle", t("rectangle")], ["disk", t("disk")]]
          }
          onChange={(kind) => setRegion(shapeOf(kind, axes))}
        />
        <ContrastControls value={scanContrast.value} onChange={(value) => (scanContrast.value = value)} />
      </div>
      {picture && !isImage(picture.array) ? (
        <LinePlot
          label={t("scan-image")}
          values={picture.array}
          axis={axes.at(-1) as Message<"AxisModel">}
          quantity={quantity}
          log={scanContrast.value.stretch === "log"}
          cursor={cursor.value.at(-1)}
          onMove={(index) => moveCursor([index])}
          window={region.value?.kind === "window" ? region.value : null}
          onWindow={setRegion}
        />
      ) : (
        <ImageView
          label={t("scan-image")}
          image={picture?.array ?? null}
          contrast={scanContrast.value}
          axes={axes}
          quantity={quantity}
          done={picture?.done ?? 1}
          cursor={rowAndColumn(cursor.value)}
          onMove={(row, column) => moveCursor(indexOf(row, column, axes.length))}
          onSpan={(from, to, ended) => setRegion(spanned(from, to, size), ended)}
          overlay={(geometry) =>
            region.value &&
            region.value.kind !== "window" && (
              <ShapeOverlay shape={region.value} size={size} geometry={geometry} label={t("region")} onChange={setRegion} />
            )
          }
        />
      )}
      <div class="beneath">
        <Actions
          name={`${facts.title}-${imageOf.value}`}
          snippet={
            imageOf.value === "virtual"
              ? { view: "virtual", opened: scanId.value as string, shape: detector.value }
              : { view: "map", opened: scanId.value as string, statistic: imageOf.value }
          }
          figure={{
            ...figureOf(scanContrast.value),
            ...(imageOf.value === "virtual"
              ? { view: "virtual", shape: detector.value }
              : { view: "map", statistic: imageOf.value }),
          }}
        />
        <CardDetails card={facts} />
      </div>
    </section>
  );
}

function PatternSide({ onDrawn }: { onDrawn: () => void }) {
  const facts = card.value as Message<"Card">;
  const axes = facts.pattern_axes;
  const size = imageShape(axes);
  const spectra = facts.kind === "spectra";
  const picture = pattern.value;
  const title = t(spectra ? "spectrum" : "pattern");
  const quantity = patternOf.value === "variance" ? t("variance") : t("counts");
  const change = (shape: typeof detector.value, ended: boolean) => {
    dragging.value = !ended;
    detector.value = shape;
    imageOf.value = "virtual";
  };
  return (
    <section aria-labelledby="pattern-title">
      <h2 id="pattern-title">{title}</h2>
      <div class="tools">
        <Choice
          word="shows"
          hint={t("pattern-shows-help")}
          value={patternOf.value}
          options={(["cursor", "region", "sum", "mean", "max", "variance"] as const).map((of) => [of, t(`of-${of}`)] as const)}
          onChange={(of) => {
            if (of === "region" && !region.value) region.value = shapeOf(facts.scan_axes.length === 1 ? "window" : "rectangle", facts.scan_axes);
            patternOf.value = of;
          }}
        />
        <Choice
          word="detector"
          hint={t("detector-help")}
          value={detector.value?.kind ?? "none"}
          options={
            spectra
              ? [["none", t("none")], ["window", t("window")]]
              : [["none", t("none")], ["disk", t("disk")], ["annulus", t("annulus")], ["rectangle", t("rectangle")]]
          }
          onChange={setDetector}
        />
        {spectra ? (
          <Choice
            word="stretch"
            hint={t("stretch-help")}
            value={patternContrast.value.stretch === "log" ? "log" : "linear"}
            options={[["linear", t("linear")], ["log", t("log")]]}
            onChange={(stretch) => (patternContrast.value = { ...patternContrast.value, stretch })}
          />
        ) : (
          <ContrastControls value={patternContrast.value} onChange={(value) => (patternContrast.value = value)} />
        )}
      </div>
      {spectra ? (
        <LinePlot
          label={title}
          values={picture?.array ?? null}
          axis={axes[0] as Message<"AxisModel">}
          quantity={quantity}
          log={patternContrast.value.stretch === "log"}
          window={detector.value?.kind === "window" ? detector.value : null}
          onWindow={change}
        />
      ) : (
        <ImageView
          label={title}
          image={picture?.array ?? null}
          contrast={patternContrast.value}
          axes={axes}
          quantity={quantity}
          onDrawn={onDrawn}
          overlay={(geometry) =>
            detector.value &&
            detector.value.kind !== "window" && (
              <ShapeOverlay shape={detector.value} size={size} geometry={geometry} label={t("detector")} onChange={change} />
            )
          }
        />
      )}
      <div class="beneath">
        <Actions name={`${facts.title}-${patternOf.value}`} snippet={patternView()} figure={{ ...figureOf(patternContrast.value), ...patternView() }} />
        <DetectorNumbers />
      </div>
    </section>
  );
}

function patternView() {
  const opened = scanId.value as string;
  const of = patternOf.value;
  if (of === "cursor") return { view: "pattern" as const, opened, position: [...cursor.value] };
  if (of === "region") return { view: "region" as const, opened, shape: region.value };
  return { view: "summary" as const, opened, statistic: of };
}

function figureOf(contrast: typeof patternContrast.value) {
  return {
    opened: scanId.value as string,
    ...drawnAs(contrast),
  };
}

function shapeOf(kind: ShapeKind | "window" | "none", axes: Message<"Card">["scan_axes"]) {
  if (kind === "none") return null;
  if (kind !== "window") return fresh(kind, imageShape(axes));
  const size = axes.at(-1)?.size ?? 1;
  return { kind, first: Math.floor(size * 0.4), last: Math.floor(size * 0.6) };
}

function setDetector(kind: ShapeKind | "window" | "none"): void {
  detector.value = shapeOf(kind, (card.value as Message<"Card">).pattern_axes);
  dragging.value = false;
  imageOf.value = detector.value ? "virtual" : "sum";
}

/** The numbers of the detector, to be typed. */
function DetectorNumbers() {
  const shape = detector.value;
  if (!shape) return null;
  const set = (changed: Partial<typeof shape>) => {
    dragging.value = false;
    detector.value = { ...shape, ...changed } as typeof shape;
  };
  if (shape.kind === "window") {
    return (
      <div class="tools">
        <NumberField word="first-channel" hint={t("window-help")} value={shape.first} min={0} max={shape.last} step={1} onChange={(first) => set({ first })} />
        <NumberField word="last-channel" hint={t("window-help")} value={shape.last} min={shape.first} step={1} onChange={(last) => set({ last })} />
      </div>
    );
  }
  if (shape.kind === "rectangle") return null;
  const [row, column] = shape.center;
  return (
    <div class="tools">
      <NumberField word="center-row" hint={t("detector-numbers-help")} value={row} step={0.5} onChange={(value) => set({ center: [value, column] })} />
      <NumberField word="center-column" hint={t("detector-numbers-help")} value={column} step={0.5} onChange={(value) => set({ center: [row, value] })} />
      {shape.kind === "disk" ? (
        <NumberField word="radius" hint={t("detector-numbers-help")} value={shape.radius} min={0.5} step={0.5} onChange={(radius) => set({ radius })} />
      ) : (
        <>
          <NumberField word="inner-radius" hint={t("detector-numbers-help")} value={shape.inner} min={0} max={shape.outer - 0.5} step={0.5} onChange={(inner) => set({ inner })} />
          <NumberField word="outer-radius" hint={t("detector-numbers-help")} value={shape.outer} min={shape.inner + 0.5} step={0.5} onChange={(outer) => set({ outer })} />
        </>
      )}
    </div>
  );
}

/** Where the cursor is, what lies under it, and how long the last pattern took. */
function Status() {
  const facts = card.value as Message<"Card">;
  const picture = scanImage.value;
  const place = facts.scan_axes
    .map((axis, which) => `${axis.name} ${cursor.value[which]} (${shown(toValue(axis, cursor.value[which] ?? 0))} ${unitText(axis.unit)})`)
    .join(", ");
  const value = picture ? at(picture.array, ...rowAndColumn(cursor.value)) : NaN;
  return (
    <p class="status">
      <span data-testid="place">{t("cursor-at", { place })}</span>
      <span>{t("value-there", { value: shown(value, 5) })}</span>
      {picture && !picture.exact && <span>{t("quick")}</span>}
      {latency.value !== null && <span>{t("latency", { ms: Math.round(latency.value) })}</span>}
      <span class="keys">{t("keys")}</span>
    </p>
  );
}
