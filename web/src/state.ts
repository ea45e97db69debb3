import { computed, effect, signal } from "@preact/signals";
import { type Message, Refused, api } from "./api";
import type { Contrast } from "./contrast";
import { Live } from "./live";
import type { Shape, Window1d } from "./shapes";

export type Language = Message<"Session">["languages"][number];
export type ScreenName =
  | "data"
  | "calibrate"
  | "prepare"
  | "decompose"
  | "groups"
  | "phases"
  | "particles"
  | "runs";

export const session = signal<Message<"Session"> | null>(null);
export const screen = signal<ScreenName>("data");
export const language = signal<Language>(localStorage.getItem("unmixel-language") === "ja" ? "ja" : "en");

/** The scan and the run that all screens speak of. */
export const scanId = signal<string | null>(null);
export const runId = signal<string | null>(null);
export const card = signal<Message<"Card"> | null>(null);
export const run = signal<Message<"RunSummary"> | null>(null);

/** The one cursor: index along each scan axis. */
export const cursor = signal<readonly number[]>([0]);
/** What is drawn on the pattern (or the spectrum) and on the scan. */
export const detector = signal<Shape | Window1d | null>(null);
export const region = signal<Shape | Window1d | null>(null);

export const patternContrast = signal<Contrast>({ stretch: "log", low: 0, high: 100, colours: "viridis" });
export const scanContrast = signal<Contrast>({ stretch: "linear", low: 0.5, high: 99.5, colours: "viridis" });

/** How patterns and maps of results are shown. */
export const patternLook = signal<Contrast>({ stretch: "sqrt", low: 0, high: 99.9, colours: "viridis" });
export const mapLook: Contrast = { stretch: "linear", low: 0, high: 99.8, colours: "viridis" };

/** Whether the list of candidate phases is unfolded. */
export const candidatesOpen = signal(false);

/** What went wrong last, in words; shown until it is put away. */
export const problem = signal<string>("");

export const live = computed(() => (scanId.value ? new Live(scanId.value) : null));

/** Runs something that may be refused, and shows why. */
export async function tell<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    complain(error);
    return null;
  }
}

export function complain(error: unknown): void {
  if (error instanceof Refused && error.status === 401) problem.value = "token";
  else problem.value = error instanceof Error ? error.message : String(error);
}

/** Reads what is opened, and chooses the scan and run to begin with. */
export async function begin(): Promise<void> {
  const found = await api.get<Message<"Session">>("session");
  session.value = found;
  const scan = found.opened.find((item) => item.kind === "scan");
  const result = found.opened.find((item) => item.kind === "run");
  if (scan) await chooseScan(scan.id);
  if (result) await chooseRun(result.id);
  if (!scan && result) screen.value = "decompose";
}

export async function chooseScan(id: string): Promise<void> {
  const found = await api.get<Message<"Card">>(`scans/${id}/card`);
  live.peek()?.close();
  detector.value = null;
  region.value = null;
  card.value = found;
  cursor.value = found.scan_axes.map((axis) => Math.floor(axis.size / 2));
  scanId.value = id;
}

export async function chooseRun(id: string): Promise<void> {
  const found = await api.get<Message<"RunSummary">>(`runs/${id}`);
  if (!card.value) cursor.value = found.scan_axes.map((axis) => Math.floor(axis.size / 2));
  run.value = found;
  runId.value = id;
}

/** Moves the cursor, kept inside the scan. */
export function moveCursor(to: readonly number[]): void {
  const axes = card.value?.scan_axes ?? run.value?.scan_axes ?? [];
  const inside = to.map((index, which) => Math.min(Math.max(0, Math.round(index)), (axes[which]?.size ?? 1) - 1));
  if (inside.some((index, which) => index !== cursor.value[which])) cursor.value = inside;
}

effect(() => {
  localStorage.setItem("unmixel-language", language.value);
  document.documentElement.lang = language.value;
});
