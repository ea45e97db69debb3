import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Message, api } from "../api";
import { type NdArray, slice } from "../arrays";
import { groupColour } from "../colours";
import { rowAndColumn } from "../frames";
import { growing, job, resume, start, stop, takeUp, works } from "../jobs";
import { useLoaded } from "../loaded";
import { numbersOf, sentence, shown } from "../scales";
import { candidatesOpen, complain, cursor, mapLook, patternLook, run, runId, scanId, session, tell } from "../state";
import { Actions } from "../views/Actions";
import { Curve } from "../views/Curve";
import { MapPicture, PatternPicture } from "../views/Picture";
import { Hint, NumberField, PatternLook } from "../views/controls";
import { Overrides, overrides } from "../views/Overrides";
import { Thumb } from "../views/Thumb";
import { Compared, Ranked } from "./Compared";
import { t } from "../words";

const chosen = signal(0);
const nComponents = signal(6);
const ranks = signal("");
const candidates = signal<string[]>([]);

/** Screen 4: runs from here, with convergence, maps and patterns as they grow. */
export function Decompose() {
  useEffect(() => {
    takeUp().catch(complain);
  }, []);
  return (
    <div class="form-and-result">
      <Form />
      <Result />
    </div>
  );
}

function Form() {
  const scan = scanId.value;
  if (!scan) {
    return (
      <section class="form">
        <h2>{t("begin-run")}</h2>
        <p class="advice">{t("no-scan-to-run")}</p>
      </section>
    );
  }
  const all = [`factorize.components=${nComponents.value}`, ...overrides.value];
  const busy = works(job.value);
  return (
    <section class="form" aria-labelledby="run-title">
      <h2 id="run-title">{t("begin-run")}</h2>
      <NumberField word="components" hint={t("components-help")} value={nComponents.value} min={1} max={200} step={1} onChange={(value) => (nComponents.value = Math.round(value))} />
      <Overrides />
      <Candidates />
      <div class="buttons">
        <button type="button" class="main" disabled={busy} onClick={() => tell(start({ scan, kind: "run", overrides: all, candidates: candidates.value }))}>
          {t("run")}
        </button>
        <button type="button" disabled={busy} onClick={() => tell(start({ scan, kind: "compare", overrides: all }))}>
          {t("compare-methods")}
        </button>
        <Hint text={t("compare-help")} />
      </div>
      <div class="field">
        <label for="ranks">{t("ranks")}</label>
        <input id="ranks" value={ranks.value} placeholder={t("by-noise")} onChange={(event) => (ranks.value = event.currentTarget.value)} />
        <Hint text={t("ranks-help")} />
      </div>
      <button type="button" disabled={busy} onClick={() => tell(start({ scan, kind: "rank", overrides: overrides.value, ranks: numbersOf(ranks.value) }))}>
        {t("search-rank")}
      </button>
      <Progress />
      <Actions
        name="decomposition"
        snippet={
          job.value?.kind === "rank"
            ? { view: "rank", opened: scan, overrides: overrides.value }
            : { view: "run", opened: scan, overrides: all }
        }
      />
    </section>
  );
}

/** Phases that the groups are compared with. */
function Candidates() {
  const known = session.value?.phases ?? [];
  const tick = (phase: string, wanted: boolean) => {
    candidates.value = wanted ? [...candidates.value, phase] : candidates.value.filter((other) => other !== phase);
  };
  return (
    <details open={candidatesOpen.value} onToggle={(event) => (candidatesOpen.value = event.currentTarget.open)}>
      <summary>
        {t("candidate-phases")} {candidates.value.join(", ")}
      </summary>
      <p class="words">{t("candidates-help")}</p>
      <ul class="ticks">
        {known.map((phase) => (
          <li key={phase}>
            <label>
              <input type="checkbox" checked={candidates.value.includes(phase)} onChange={(event) => tick(phase, event.currentTarget.checked)} /> {phase}
            </label>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Progress() {
  const now = job.value;
  if (!now) return null;
  return (
    <div class="progress" role="status">
      <p>
        <strong>{t(`status-${now.status}`)}</strong> {works(now) && now.stage}
        {now.limit > 0 && ` · ${t("sweep-of", { sweep: now.sweeps, limit: now.limit })}`}
      </p>
      {works(now) && now.limit > 0 && <progress max={now.limit} value={now.sweeps} aria-label={t("sweeps")} />}
      <div class="buttons">
        {now.status === "running" && (
          <button type="button" onClick={() => tell(stop())}>
            {t("stop")}
          </button>
        )}
        {!works(now) && (
          <button type="button" onClick={() => (job.value = null)}>
            {t("put-away")}
          </button>
        )}
        {now.status === "stopped" && (
          <button type="button" onClick={() => tell(resume())}>
            {t("resume")}
          </button>
        )}
      </div>
      {now.error && <p class="error">{now.error}</p>}
      {now.notes.length > 0 && (
        <details>
          <summary>{t("notes", { n: now.notes.length })}</summary>
          <ul>
            {now.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Result() {
  const now = job.value;
  if (now?.kind === "rank" && now.status === "finished") return <Ranked job={now} />;
  if (now?.kind === "compare" && now.status === "finished") return <Compared job={now} />;
  if (now && (works(now) || now.status === "stopped" || now.status === "failed" || !run.value)) return <Growing />;
  if (run.value) return <Finished run={run.value} />;
  return (
    <section>
      <p class="advice">{t("no-run")}</p>
    </section>
  );
}

/** What a running job has found so far. */
function Growing() {
  const now = job.value;
  const found = growing.value;
  if (!now) return null;
  return (
    <section class="column" aria-label={t("convergence")}>
      <Convergence objective={now.objective} />
      {found && <Tiles maps={found.maps} patterns={found.patterns} />}
      {!found && <p class="advice">{t("pictures-soon")}</p>}
      {now.run && <Actions name="convergence" snippet={{ view: "run", opened: now.run }} figure={{ view: "convergence", opened: now.run }} />}
    </section>
  );
}

function Finished({ run: found }: { run: Message<"RunSummary"> }) {
  const id = runId.value as string;
  const maps = useLoaded(() => api.array(`runs/${id}/components/maps`), [id]);
  const patterns = useLoaded(() => api.array(`runs/${id}/components/patterns`), [id]);
  const index = Math.min(chosen.value, found.components.length - 1);
  const component = found.components[index];
  return (
    <section class="column" aria-labelledby="components-title">
      <h2 id="components-title">
        {t("components-of", { name: found.name, n: found.components.length })}
      </h2>
      <PatternLook />
      <div class="three">
        <figure>
          <figcaption>{t("pattern-of", { n: index + 1 })}</figcaption>
          <PatternPicture label={t("component-pattern")} array={patterns && slice(patterns, index)} axes={found.pattern_axes} contrast={patternLook.value} quantity={t("share-of-counts")} />
        </figure>
        <figure>
          <figcaption>{t("map-of", { n: index + 1 })}</figcaption>
          <MapPicture label={t("component-map")} array={maps && slice(maps, index)} axes={found.scan_axes} contrast={mapLook} quantity={t("counts")} />
        </figure>
        <figure>
          <figcaption>{t("convergence")}</figcaption>
          <Convergence objective={found.convergence.objective} />
        </figure>
      </div>
      {component && <ComponentWords component={component} />}
      <p class="words">{sentence(found.convergence.reason)}</p>
      {maps && patterns && <Tiles maps={maps} patterns={patterns} components={found.components} />}
      <Actions name={`${found.name}-${index + 1}`} snippet={{ view: "run", opened: id }} figure={{ view: "component", opened: id, index }} />
    </section>
  );
}

function ComponentWords({ component }: { component: Message<"Component"> }) {
  const facts = [
    t("strength-is", { percent: shown(100 * component.strength) }),
    component.group !== null && t("in-group", { n: component.group + 1 }),
    component.rotation_deg !== null && t("turned-by", { degrees: component.rotation_deg.toFixed(0) }),
    component.map_error !== null && t("map-error-is", { percent: shown(100 * component.map_error) }),
    component.stability !== null && t("stability-is", { value: component.stability.toFixed(2) }),
    ...component.flags,
  ];
  return <p class="words">{facts.filter(Boolean).join(" · ")}</p>;
}

export function Convergence({ objective }: { objective: readonly number[] }) {
  const wide = Math.max(...objective) > 10 * Math.min(...objective) && Math.min(...objective) > 0;
  const y = wide ? objective.map(Math.log10) : objective;
  return (
    <Curve
      label={t("convergence")}
      lines={[{ name: t("objective"), x: objective.map((_, index) => index), y }]}
      across={t("sweep")}
      up={t(wide ? "log-objective" : "objective")}
    />
  );
}

interface TilesProps {
  readonly maps: NdArray;
  readonly patterns: NdArray;
  readonly components?: readonly Message<"Component">[];
}

/** All components, each with pattern and map; one is chosen by a click or by the keyboard. */
function Tiles({ maps, patterns, components }: TilesProps) {
  const here = rowAndColumn(cursor.value);
  const n = Math.min(maps.shape[0] ?? 0, patterns.shape[0] ?? 0);
  return (
    <ul class="tiles">
      {Array.from({ length: n }, (_, index) => {
        const known = components?.[index];
        return (
          <li key={index}>
            <button type="button" class="tile" aria-pressed={chosen.value === index} onClick={() => (chosen.value = index)}>
              <span class="title">
                {known?.group != null && (
                  <b class="badge" style={{ background: groupColour(known.group) }}>
                    {known.group + 1}
                  </b>
                )}
                {index + 1}
                {known && ` · ${shown(100 * known.strength, 2)} %`}
                {known && known.flags.length > 0 && <span title={known.flags.join("; ")}> ⚑</span>}
              </span>
              <span class="pair">
                <Thumb image={slice(patterns, index)} label={t("pattern-of", { n: index + 1 })} contrast={patternLook.value} />
                <Thumb image={slice(maps, index)} label={t("map-of", { n: index + 1 })} contrast={mapLook} cursor={here} />
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
