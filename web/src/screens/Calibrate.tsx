import { signal } from "@preact/signals";
import { type Message, api } from "../api";
import { useLoaded } from "../loaded";
import { shown } from "../scales";
import { card, patternContrast, scanId, session, tell } from "../state";
import { Actions } from "../views/Actions";
import { Choice, ContrastControls, NumberField } from "../views/controls";
import { ImageView } from "../views/ImageView";
import { ResidualPlot } from "../views/ResidualPlot";
import { Rings, miller } from "../views/Rings";
import { t } from "../words";

type Request = Omit<Message<"CalibrateRequest">, "center" | "step"> & { center: [number, number] | null; step: number | null };
type Reply = Message<"CalibrateReply">;

const asked = signal<Request>({ phase: "", of: "mean", center: null, step: null, ellipse: 1, ellipse_angle_deg: 0, fit: false });
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

async function calibrate(id: string, request: Request): Promise<void> {
  asked.value = request;
  busy.value = true;
  const reply = await tell(api.post<Reply>(`scans/${id}/calibrate`, request));
  busy.value = false;
  if (reply) fitted.value = { scan: id, reply };
}

function Rulers({ id, facts }: { id: string; facts: Message<"Card"> }) {
  const pattern = useLoaded(() => api.array(`scans/${id}/summary/${asked.value.of}`), [id, asked.value.of]);
  const phases = session.value?.phases ?? [];
  const reply = fitted.value?.scan === id ? fitted.value.reply : null;
  const request = { ...asked.value, phase: asked.value.phase || (phases[0] ?? "") };
  const change = (changed: Partial<Request>) => calibrate(id, { ...request, fit: false, ...changed });
  return (
    <div class="form-and-result">
      <section class="form" aria-labelledby="calibrate-title">
        <h2 id="calibrate-title">{t("calibrate")}</h2>
        <Choice word="known-phase" hint={t("known-phase-help")} value={request.phase} options={phases.map((phase) => [phase, phase] as const)} onChange={(phase) => change({ phase })} />
        <Choice word="shows" value={request.of} options={[["mean", t("of-mean")], ["max", t("of-max")]]} onChange={(of) => change({ of })} />
        <h3>{t("by-hand")}</h3>
        <NumberField word="center-row" value={request.center?.[0] ?? reply?.center_v.value ?? 0} step={0.25} onChange={(v) => change({ center: [v, request.center?.[1] ?? reply?.center_u.value ?? 0] })} />
        <NumberField word="center-column" value={request.center?.[1] ?? reply?.center_u.value ?? 0} step={0.25} onChange={(u) => change({ center: [request.center?.[0] ?? reply?.center_v.value ?? 0, u] })} />
        <NumberField word="scale-step" hint={t("scale-step-help")} value={request.step ?? reply?.scale.value ?? 0.01} min={1e-6} onChange={(step) => change({ step })} />
        <NumberField word="ellipse" hint={t("ellipse-help")} value={request.ellipse} min={1} max={2} step={0.005} onChange={(ellipse) => change({ ellipse })} />
        <NumberField word="ellipse-angle" value={request.ellipse_angle_deg} min={-180} max={180} step={1} onChange={(ellipse_angle_deg) => change({ ellipse_angle_deg })} />
        <div class="buttons">
          <button type="button" disabled={busy.value} onClick={() => change({})}>
            {t("draw-rings")}
          </button>
          <button type="button" class="main" disabled={busy.value} onClick={() => change({ fit: true })}>
            {t("fit")}
          </button>
        </div>
        {busy.value && <p role="status">{t("fitting")}</p>}
        {reply && <Numbers reply={reply} />}
        <Actions name={`${facts.title}-calibration`} snippet={{ view: "calibrate", opened: id, calibrate: { ...request, fit: true } }} />
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
      <table class="numbers">
        <tbody>
          <Row term={t("center-row")} text={`${fitted(reply.center_v, 2)} px`} />
          <Row term={t("center-column")} text={`${fitted(reply.center_u, 2)} px`} />
          <Row term={t("scale-step")} text={fitted(reply.scale, 6)} />
          <Row term={t("ellipse")} text={fitted(reply.ellipse, 4)} />
          <Row term={t("ellipse-angle")} text={`${reply.ellipse_angle_deg.toFixed(1)}°`} />
          <Row term={t("rotation")} text={reply.rotation_deg === null ? t("not-known") : `${reply.rotation_deg.toFixed(1)}°`} />
          {reply.rms_percent !== null && <Row term={t("rms")} text={`${shown(reply.rms_percent)} %`} />}
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
