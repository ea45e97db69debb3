import { useEffect } from "preact/hooks";
import { api } from "./api";
import { job, works } from "./jobs";
import { Calibrate } from "./screens/Calibrate";
import { Data } from "./screens/Data";
import { Decompose } from "./screens/Decompose";
import { Groups } from "./screens/Groups";
import { Particles } from "./screens/Particles";
import { Phases } from "./screens/Phases";
import { Prepare } from "./screens/Prepare";
import { Runs } from "./screens/Runs";
import {
  type Language,
  type ScreenName,
  card,
  chooseRun,
  chooseScan,
  language,
  problem,
  run,
  runId,
  scanId,
  screen,
  session,
  tell,
} from "./state";
import { t } from "./words";

const screens = {
  data: Data,
  calibrate: Calibrate,
  prepare: Prepare,
  decompose: Decompose,
  groups: Groups,
  phases: Phases,
  particles: Particles,
  runs: Runs,
} satisfies Record<ScreenName, () => unknown>;

const names = Object.keys(screens) as ScreenName[];

export function App() {
  const Screen = screens[screen.value];
  useEffect(() => {
    document.title = [card.value?.title ?? run.value?.name, "unmixel"].filter(Boolean).join(" – ");
  }, [card.value, run.value]);
  return (
    <>
      <a class="skip" href="#screen">
        {t("skip")}
      </a>
      <header>
        <h1>{t("product")}</h1>
        <Opened />
        <nav aria-label={t("screens")}>
          {names.map((name) => (
            <button key={name} type="button" aria-current={screen.value === name ? "page" : undefined} onClick={() => (screen.value = name)}>
              {t(name)}
            </button>
          ))}
        </nav>
        <Languages />
      </header>
      <Trouble />
      <main id="screen" tabindex={-1}>
        {session.value && <Screen />}
      </main>
    </>
  );
}

/** Which scan and which run are looked at. */
function Opened() {
  const opened = session.value?.opened ?? [];
  const pick = (kind: "scan" | "run", value: string | null, choose: (id: string) => Promise<void>) => {
    const some = opened.filter((item) => item.kind === kind);
    if (!some.length) return null;
    return (
      <label class="opened">
        {t(kind)}
        <select value={value ?? ""} onChange={(event) => tell(choose(event.currentTarget.value))}>
          {value === null && <option value="">–</option>}
          {some.map((item) => (
            <option key={item.id} value={item.id}>
              {item.name}
            </option>
          ))}
        </select>
      </label>
    );
  };
  return (
    <>
      {pick("scan", scanId.value, chooseScan)}
      {pick("run", runId.value, lookAt)}
      {run.value?.has.includes("report") && (
        <button type="button" class="plain report" onClick={() => tell(openReport(runId.value as string))}>
          {t("report")}
        </button>
      )}
    </>
  );
}

/** Shows a run in place of the job that ended. */
async function lookAt(id: string): Promise<void> {
  if (!works(job.value)) job.value = null;
  await chooseRun(id);
}

async function openReport(id: string): Promise<void> {
  const page = await api.blob(`runs/${id}/report.html`);
  const address = URL.createObjectURL(page);
  window.open(address, "_blank", "noopener");
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function Languages() {
  const names: readonly (readonly [Language, string])[] = [
    ["en", "English"],
    ["ja", "日本語"],
  ];
  return (
    <select aria-label={t("language")} value={language.value} onChange={(event) => (language.value = event.currentTarget.value as Language)}>
      {names.map(([value, name]) => (
        <option key={value} value={value} lang={value}>
          {name}
        </option>
      ))}
    </select>
  );
}

function Trouble() {
  if (!problem.value) return null;
  const words = { token: t("problem-token"), closed: t("no-connection"), "Failed to fetch": t("no-connection") } as Record<string, string>;
  return (
    <div class="trouble" role="alert">
      {words[problem.value] ?? problem.value}
      <button type="button" class="plain" aria-label={t("close")} onClick={() => (problem.value = "")}>
        ×
      </button>
    </div>
  );
}
