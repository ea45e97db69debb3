import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { type Message, api } from "../api";
import { drawnAs } from "../contrast";
import { useLoaded } from "../loaded";
import { Newest } from "../newest";
import { type AxisModel, shown as number, toIndex } from "../scales";
import { card, patternContrast, scanId, session, tell } from "../state";
import { Actions } from "../views/Actions";
import { Check, Choice, ContrastControls, NumberField } from "../views/controls";
import { ImageView } from "../views/ImageView";
import { ResidualPlot } from "../views/ResidualPlot";
import { Rings, miller } from "../views/Rings";
import { t } from "../words";

type Request = Omit<Message<"CalibrateRequest">, "center" | "step"> & { center: [number, number] | null; step: number | null };
type Reply = Message<"CalibrateReply">;

const asked = signal<Request>({ phase: "", of: "mean", center: null, step: null, ellipse: 1, ellipse_angle_deg: 0, fit: false, rotation: false });
const fitted = signal<{ scan: string; reply: Reply } | null>(null);
const busy = signal(false);

/** Screen 2: rings of a known phase over the pattern, centre, scale, ellipse, and what is left. */
export function Calibrate() {
  const id = scanId.value;
  const facts = card.value;
  if (!id || !facts) return <p class="advice">{t("no-scan")}</p>;
  if (facts.kind !== "patterns") return <p class="advice">{t("spectra-not-calibrated")}</p>;
  return <Rulers id={id} facts={facts} />;
}

/** The centre that the axes say: where both are 0. */
const middleOf = (vertical: AxisModel, horizontal: AxisModel): [number, number] =>
  vertical.unit === "px"
    ? [(vertical.size - 1) / 2, (horizontal.size - 1) / 2]
    : [quarter(toIndex(vertical, 0)), quarter(toIndex(horizontal, 0))];

const quarter = (value: number): number => Math.round(4 * value) / 4;

async function calibrate(id: string, request: Request): Promise<void> {
  const reply = await tell(api.post<Reply>(`scans/${id}/calibrate`, request));
  if (request.fit) busy.value = false;
  if (!reply) return;
  fitted.value = { scan: id, reply };
  if (request.fit && reply.trusted) {
    const { center_v, center_u, scale, ellipse, ellipse_angle_deg } = reply;
    asked.value = {
      ...request,
      center: [center_v.value, center_u.value],
      step: scale.value,
      ellipse: Math.max(1, ellipse.value),
      ellipse_angle_deg: ellipse_angle_deg.value,
    };
  }
}

function Rulers({ id, facts }: { id: string; facts: Message<"Card"> }) {
  const pattern = useLoaded(() => api.array(`scans/${id}/summary/${asked.value.of}`), [id, asked.value.of]);
  const phases = session.value?.phases ?? [];
  const reply = fitted.value?.scan === id ? fitted.value.reply : null;
  const request = asked.value;
  const newest = useRef(new Newest<Request>((next) => calibrate(id, next)));
  const change = (changed: Partial<Request>) => {
    asked.value = { ...request, fit: false, ...changed };
    if (!asked.value.phase) return;
    busy.value = asked.value.fit;
    newest.current.ask(told(asked.value));
  };
  const [vertical, horizontal] = facts.pattern_axes as [AxisModel, AxisModel];
  const center = request.center ?? (reply ? [reply.center_v.value, reply.center_u.value] : middleOf(vertical, horizontal));
  const step = request.step ?? reply?.scale.value ?? (vertical.unit === "1/angstrom" ? Math.abs(vertical.scale) : 0.01);
  // where the axes do not say what a pixel is worth, the number that is shown does
  const told = (wanted: Request): Request => ({ ...wanted, step: wanted.step ?? (vertical.unit === "px" ? step : null) });
  const isFitted = reply !== null && reply.residuals.length > 0;
  const shown = { ...told(request), center, fit: isFitted };
  const plain = { view: "summary" as const, opened: id, statistic: request.of };
  return (
    <div class="form-and-result">
      <section class="form" aria-labelledby="calibrate-title">
        <h2 id="calibrate-title">{t("calibrate")}</h2>
        <Choice word="known-phase" hint={t("known-phase-help")} value={request.phase} options={[["", t("choose")] as const, ...phases.map((phase) => [phase, phase] as const)]} onChange={(phase) => change({ phase })} />
        <Choice word="shows" hint={t("calibrate-of-help")} value={request.of} options={[["mean", t("of-mean")], ["max", t("of-max")]]} onChange={(of) => change({ of })} />
        <h3>{t("by-hand")}</h3>
        <NumberField word="center-row" value={center[0]} step={0.25} hint={t("center-help")} onChange={(v) => change({ center: [v, center[1]] })} />
        <NumberField word="center-column" hint={t("center-help")} value={center[1]} step={0.25} onChange={(u) => change({ center: [center[0], u] })} />
        <NumberField word="scale-step" hint={t("scale-step-help")} value={step} min={1e-6} onChange={(step) => change({ step })} />
        <NumberField word="ellipse" hint={t("ellipse-help")} value={request.ellipse} min={1} max={2} step={0.005} onChange={(ellipse) => change({ ellipse })} />
        <NumberField word="ellipse-angle" hint={t("ellipse-angle-help")} value={request.ellipse_angle_deg} min={-180} max={180} step={1} onChange={(ellipse_angle_deg) => change({ ellipse_angle_deg })} />
        <Check word="fit-rotation" hint={t("fit-rotation-help")} value={request.rotation} onChange={(rotation) => (asked.value = { ...request, rotation })} />
        <div class="buttons">
          <button type="button" disabled={!request.phase} onClick={() => change({})}>
            {t("draw-rings")}
          </button>
          <button type="button" class="main" disabled={busy.value || !request.phase} onClick={() => change({ fit: true })}>
            {t("fit")}
          </button>
        </div>
        {busy.value && (
          <p role="status" data-testid="fitting">
            {t("fitting")}
          </p>
        )}
        {reply && <Numbers reply={reply} />}
        <Actions
          name={`${facts.title}-calibration`}
          snippet={request.phase ? { view: "calibrate", opened: id, calibrate: shown } : plain}
          figure={request.phase ? { view: "calibrate", opened: id, calibrate: shown } : { ...plain, ...drawnAs(patternContrast.value) }}
        />
      </section>
      <section class="column" aria-labelledby="rings-title">
        <h2 id="rings-title">{t("rings-over-pattern")}</h2>
        <div class="tools">
          <ContrastControls value={patternContrast.value} onChange={(value) => (patternContrast.value = value)} />
        </div>
        <ImageView
          label={t("rings-over-pattern")}
          image={pattern}
          contrast={patternContrast.value}
          axes={facts.pattern_axes}
          quantity={t("counts")}
          cursor={center}
          onMove={(v, u) => change({ center: [quarter(v), quarter(u)] })}
          overlay={(geometry) => reply && <Rings geometry={geometry} rings={reply.rings.map((ring) => ring.points)} names={reply.rings.map((ring) => miller(ring.hkl))} />}
        />
        {!reply && <p class="advice">{t("no-calibration")}</p>}
        {reply && reply.residuals.length > 0 && (
          <figure class="low">
            <figcaption>{t("residual-title")}</figcaption>
            <ResidualPlot points={reply.residuals} />
          </figure>
        )}
      </section>
    </div>
  );
}

function Numbers({ reply }: { reply: Reply }) {
  const fitted = ({ value, error }: Message<"Fitted">, digits: number) => `${value.toFixed(digits)}${error === null ? "" : ` ± ${error.toPrecision(2)}`}`;
  return (
    <>
      <p class={reply.trusted ? "words" : "warning"}>
        {reply.trusted ? "✓ " : "⚠ "}
        {reply.words}
      </p>
      {!reply.trusted && <p class="words">{t(reply.degrees_of_freedom > 0 || reply.residuals.length > 0 ? "fit-advice" : "rings-advice")}</p>}
      <table class="numbers">
        <tbody>
          <Row term={t("center-row")} text={`${fitted(reply.center_v, 2)} px`} />
          <Row term={t("center-column")} text={`${fitted(reply.center_u, 2)} px`} />
          <Row term={t("scale-step")} text={fitted(reply.scale, 6)} />
          <Row term={t("ellipse")} text={fitted(reply.ellipse, 4)} />
          <Row term={t("ellipse-angle")} text={`${fitted(reply.ellipse_angle_deg, 1)}°`} />
          <Row term={t("rotation")} text={reply.rotation === null ? t("not-known") : `${fitted(reply.rotation, 1)}°`} />
          {reply.rms_percent !== null && <Row term={t("rms")} text={`${number(reply.rms_percent)} %`} />}
        </tbody>
      </table>
    </>
  );
}

function Row({ term, text }: { term: string; text: string }) {
  return (
    <tr>
      <th scope="row">{term}</th>
      <td>{text}</td>
    </tr>
  );
}
