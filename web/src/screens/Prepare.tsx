import { signal } from "@preact/signals";
import { type Message, api } from "../api";
import { drawnAs } from "../contrast";
import { useLoaded } from "../loaded";
import { card, patternContrast, scanContrast, scanId } from "../state";
import { sentence } from "../scales";
import { Actions } from "../views/Actions";
import { HelpWords, useHelp } from "../views/Overrides";
import { MapPicture, PatternPicture } from "../views/Picture";
import { t } from "../words";

type Step = Message<"Prepared">;

const chosen = signal(0);

/** Screen 3: every pretreatment in force, before and after. */
export function Prepare() {
  const id = scanId.value;
  if (!id) return <p class="advice">{t("no-scan")}</p>;
  return <Steps key={id} id={id} />;
}

function Steps({ id }: { id: string }) {
  const reply = useLoaded(() => api.post<Message<"PrepareReply">>(`scans/${id}/prepare`, { steps: null }), [id]);
  if (!reply) return <p class="advice">{t("preparing")}</p>;
  const step = reply.steps[Math.min(chosen.value, reply.steps.length - 1)];
  const entries = reply.steps.map(({ name, parameters }) => ({ name, parameters }));
  return (
    <div class="form-and-result">
      <section class="form" aria-labelledby="steps-title">
        <h2 id="steps-title">{t("steps-title")}</h2>
        <ol class="steps">
          {reply.steps.map((one, index) => (
            <li key={index}>
              <button type="button" class="tile" aria-pressed={one === step} onClick={() => (chosen.value = index)}>
                <span class="title">
                  {index + 1}. {one.name} {one.warnings.length > 0 && <span>⚠</span>}
                </span>
                <span>{one.effect}</span>
              </button>
            </li>
          ))}
        </ol>
        {!reply.whole && <p class="words">{t("from-positions", { n: reply.n_positions })}</p>}
        <p class="words">{t("steps-help")}</p>
        <Actions
          name={`prepare-${step?.name ?? "nothing"}`}
          snippet={{ view: "prepare", opened: id, steps: entries }}
          figure={step ? { view: "prepare", opened: id, steps: entries, index: reply.steps.indexOf(step), ...drawnAs(patternContrast.value) } : { view: "summary", opened: id, statistic: "mean", ...drawnAs(patternContrast.value) }}
        />
      </section>
      {step ? <BeforeAndAfter key={step.pattern_after} step={step} before={reply.steps[reply.steps.indexOf(step) - 1]} /> : <p class="advice">{t("no-steps")}</p>}
    </div>
  );
}

function BeforeAndAfter({ step, before }: { step: Step; before: Step | undefined }) {
  const axesBefore = before ?? (card.value as Message<"Card">);
  const [patternBefore, patternAfter, mapBefore, mapAfter] = [step.pattern_before, step.pattern_after, step.map_before, step.map_after].map((key) =>
    useLoaded(() => api.array(`arrays/${key}`), [key]),
  );
  return (
    <section class="column" aria-labelledby="step-title">
      <h2 id="step-title">{step.name}</h2>
      <p class="words">{sentence(step.effect)}</p>
      <Parameters step={step} />
      {step.warnings.map((warning) => (
        <p key={warning} class="warning">
          ⚠ {warning}
        </p>
      ))}
      <div class="four">
        <figure>
          <figcaption>{t("mean-pattern-before")}</figcaption>
          <PatternPicture label={t("mean-pattern-before")} array={patternBefore ?? null} axes={axesBefore.pattern_axes} contrast={patternContrast.value} quantity={t("counts")} />
        </figure>
        <figure>
          <figcaption>{t("mean-pattern-after")}</figcaption>
          <PatternPicture label={t("mean-pattern-after")} array={patternAfter ?? null} axes={step.pattern_axes} contrast={patternContrast.value} quantity={t("counts")} />
        </figure>
        <figure>
          <figcaption>{t("map-before")}</figcaption>
          <MapPicture label={t("map-before")} array={mapBefore ?? null} axes={axesBefore.scan_axes} contrast={scanContrast.value} quantity={t("counts")} />
        </figure>
        <figure>
          <figcaption>{t("map-after")}</figcaption>
          <MapPicture label={t("map-after")} array={mapAfter ?? null} axes={step.scan_axes} contrast={scanContrast.value} quantity={t("counts")} />
        </figure>
      </div>
    </section>
  );
}

/** What the step is and its parameters, each with its value and what it means. */
function Parameters({ step }: { step: Step }) {
  const help = useHelp();
  const key = `prepare.${step.name}`;
  const about = help?.entries.find((entry) => entry.key === key);
  const entries = help?.entries.filter((entry) => entry.key.startsWith(`${key}.`)) ?? [];
  return (
    <details class="parameters">
      <summary>{t("parameters-of", { name: step.name })}</summary>
      {about && <HelpWords entry={about} />}
      <dl>
        {entries.map((entry) => {
          const name = entry.key.slice(key.length + 1);
          return (
            <div key={name}>
              <dt>
                <code>
                  {name}: {JSON.stringify(step.parameters[name] ?? null)}
                </code>
              </dt>
              <dd>
                <HelpWords entry={entry} />
              </dd>
            </div>
          );
        })}
      </dl>
    </details>
  );
}
