import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Message, api } from "../api";
import { type NdArray, slice } from "../arrays";
import { useLoaded } from "../loaded";
import { shown } from "../scales";
import { chooseRun, complain, mapLook, patternLook, runId, screen, session, tell } from "../state";
import { Actions } from "../views/Actions";
import { Thumb } from "../views/Thumb";
import { t } from "../words";

type Row = Message<"HistoryRow">;

const history = signal<readonly Row[] | null>(null);
const pair = signal<readonly string[]>([]);

const look = () => api.get<Row[]>("runs").then((rows) => (history.value = rows), complain);

/** Screen 8: runs that lie here, and how two of them differ. */
export function Runs() {
  useEffect(() => {
    void look();
  }, []);
  const rows = history.value;
  if (!rows) return <section />;
  if (!rows.length) return <p class="advice">{t("no-runs")}</p>;
  const [first, second] = pair.value;
  return (
    <div class="column">
      <section aria-labelledby="runs-title">
        <h2 id="runs-title">{t("runs-title")}</h2>
        <p class="words">{t("runs-help")}</p>
        <div class="table">
          <table>
            <thead>
              <tr>
                <th>{t("compare")}</th>
                <th>{t("name")}</th>
                <th>{t("state")}</th>
                <th>{t("began")}</th>
                <th>{t("input")}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <HistoryLine key={row.name} row={row} />
              ))}
            </tbody>
          </table>
        </div>
        <Actions name="runs" snippet={runId.value ? { view: "run", opened: runId.value } : { view: "history" }} table={async () => asCsv(rows)} />
      </section>
      {first && second && <Difference key={`${first}-${second}`} first={first} second={second} />}
    </div>
  );
}

function HistoryLine({ row }: { row: Row }) {
  const open = async () => {
    const id = row.id ?? (await tell(api.post<Message<"Opened">>("runs", { name: row.name })))?.id;
    if (!id) return;
    session.value = await api.get<Message<"Session">>("session");
    await tell(chooseRun(id));
    screen.value = "decompose";
  };
  const mark = async (wanted: boolean) => {
    const id = row.id ?? (await tell(api.post<Message<"Opened">>("runs", { name: row.name })))?.id;
    if (!id) return;
    pair.value = wanted ? [...pair.value.slice(-1), id] : pair.value.filter((other) => other !== id);
    await look();
  };
  return (
    <tr aria-selected={row.id !== null && row.id === runId.value}>
      <td>
        <input type="checkbox" aria-label={t("compare-run", { name: row.name })} checked={row.id !== null && pair.value.includes(row.id)} onChange={(event) => mark(event.currentTarget.checked)} />
      </td>
      <td>
        <button type="button" class="plain" onClick={open}>
          {row.name}
        </button>
      </td>
      <td>{row.status ?? "–"}</td>
      <td>{row.started?.replace("T", " ").slice(0, 16) ?? "–"}</td>
      <td>{row.input ?? "–"}</td>
    </tr>
  );
}

function Difference({ first, second }: { first: string; second: string }) {
  const reply = useLoaded(() => api.get<Message<"CompareRunsReply">>(`runs/compare/${first}/${second}`), [first, second]);
  const stacks = useLoaded(
    () => Promise.all([first, second].flatMap((id) => [api.array(`runs/${id}/components/patterns`), api.array(`runs/${id}/components/maps`)])),
    [first, second],
  );
  if (!reply || !stacks) return <section />;
  const [patternsA, mapsA, patternsB, mapsB] = stacks as [typeof stacks[0], typeof stacks[0], typeof stacks[0], typeof stacks[0]];
  const changed = Object.entries(reply.recipe);
  const [nameA, nameB] = [nameOf(reply.first), nameOf(reply.second)];
  const alone = [
    ...without(patternsA, reply.pairs.map(([a]) => a)).map((n) => `${nameA} ${n + 1}`),
    ...without(patternsB, reply.pairs.map(([, b]) => b)).map((n) => `${nameB} ${n + 1}`),
  ];
  return (
    <section aria-labelledby="difference-title">
      <h2 id="difference-title">{t("difference-title", { first: nameA, second: nameB })}</h2>
      <p class="words">{t("errors-are", { first: percent(reply.relative_error[0]), second: percent(reply.relative_error[1]) })}</p>
      {changed.length === 0 && <p class="words">{t("same-recipe")}</p>}
      {changed.length > 0 && (
        <div class="table short">
          <table>
            <thead>
              <tr>
                <th>{t("parameter")}</th>
                <th>{nameA}</th>
                <th>{nameB}</th>
              </tr>
            </thead>
            <tbody>
              {changed.map(([key, [a, b]]) => (
                <tr key={key}>
                  <th scope="row">
                    <code>{key}</code>
                  </th>
                  <td>{JSON.stringify(a)}</td>
                  <td>{JSON.stringify(b)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Actions name={`${nameA}-${nameB}`} snippet={{ view: "compare", opened: first, other: second }} figure={{ view: "compare", opened: first, other: second }} />
      <ul class="tiles">
        {reply.pairs.map(([a, b], index) => (
          <li key={index} class="tile">
            <span class="title">
              {a + 1} ↔ {b + 1} · {t("cosines", { pattern: reply.pattern_cosine[index]?.toFixed(2) ?? "–", map: reply.map_cosine[index]?.toFixed(2) ?? "–" })}
            </span>
            <span class="pair">
              <Thumb image={slice(patternsA, a)} label={t("pattern-of", { n: a + 1 })} contrast={patternLook.value} />
              <Thumb image={slice(mapsA, a)} label={t("map-of", { n: a + 1 })} contrast={mapLook} />
              <Thumb image={slice(patternsB, b)} label={t("pattern-of", { n: b + 1 })} contrast={patternLook.value} />
              <Thumb image={slice(mapsB, b)} label={t("map-of", { n: b + 1 })} contrast={mapLook} />
            </span>
          </li>
        ))}
      </ul>
      {alone.length > 0 && <p class="words">{t("without-partner", { which: alone.join(", ") })}</p>}
    </section>
  );
}

const nameOf = (id: string): string => session.value?.opened.find((one) => one.id === id)?.name ?? id;

/** Components of a stack that are in no pair. */
const without = (stack: NdArray, paired: readonly number[]): number[] => [...Array(stack.shape[0] ?? 0).keys()].filter((n) => !paired.includes(n));

const percent = (share: number | null): string => (share == null ? "–" : `${shown(100 * share)} %`);

/** The history as a table of values parted by commas (RFC 4180). */
function asCsv(rows: readonly Row[]): Blob {
  const columns = ["name", "status", "started", "input", "components", "relative_error"] as const;
  const cell = (value: unknown) => (/[",\n]/.test(String(value ?? "")) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))].map((line) => line.map(cell).join(","));
  return new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" });
}
