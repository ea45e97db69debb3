import { signal } from "@preact/signals";
import { type Message, api } from "../api";
import { slice } from "../arrays";
import { imageShape, indexOf, rowAndColumn } from "../frames";
import { useLoaded } from "../loaded";
import { outlines } from "../outlines";
import { niceTicks, shown, toIndex, unitText } from "../scales";
import { cursor, mapLook, moveCursor, run, runId } from "../state";
import { Absent } from "../views/Absent";
import { Actions } from "../views/Actions";
import { Choice } from "../views/controls";
import { MapPicture } from "../views/Picture";
import { useBox } from "../views/useBox";
import { t } from "../words";

type Particle = Message<"ParticleModel">;

const chosen = signal<number | null>(null);
const group = signal<string | null>(null); // null: the one with most particles

/** Screen 7: particles on the map, their sizes, and their table. */
export function Particles() {
  const found = run.value;
  if (!found || !found.has.includes("particles")) return <Absent what="no-particles" run={found} />;
  return <Found key={runId.value} id={runId.value as string} run={found} />;
}

function Found({ id, run: found }: { id: string; run: Message<"RunSummary"> }) {
  const reply = useLoaded(() => api.get<Message<"ParticlesReply">>(`runs/${id}/particles`), [id]);
  const labels = useLoaded(() => api.array(`runs/${id}/particles/labels`), [id]);
  const maps = useLoaded(() => api.array(`runs/${id}/groups/maps`), [id]);
  if (!reply) return <section />;
  const counts = Array.from({ length: reply.n_groups }, (_, index) => reply.particles.filter((one) => one.group === index).length);
  const which = Math.min(group.value === null ? counts.indexOf(Math.max(...counts)) : Number(group.value), reply.n_groups - 1);
  const shownNow = reply.particles.filter((particle) => particle.group === which);
  const axes = found.scan_axes;
  const [vertical, horizontal] = axes.slice(-2) as [(typeof axes)[0], (typeof axes)[0]];
  const place = (particle: Particle): [number, number] => [toIndex(vertical, particle.y), toIndex(horizontal, particle.x)];
  const choose = (particle: Particle) => {
    chosen.value = particle.id;
    moveCursor(indexOf(...place(particle), axes.length));
  };
  const labelled = labels && which < (labels.shape[0] ?? 0) ? slice(labels, which) : null;
  if (labelled && axes.length === 2) followCursor(labelled.data as ArrayLike<number>, imageShape(axes)[1]);
  return (
    <div class="two">
      <section aria-labelledby="particles-title">
        <h2 id="particles-title">{t("particles-title", { n: reply.particles.length })}</h2>
        <div class="tools">
          <Choice
            word="group"
            hint={t("group-help")}
            value={String(which)}
            options={counts.map((particles, index) => [String(index), t("group-with", { n: index + 1, particles })] as const)}
            onChange={(value) => (group.value = value)}
          />
        </div>
        <MapPicture
          label={t("group-map", { n: which + 1 })}
          array={maps && slice(maps, which)}
          axes={axes}
          contrast={mapLook}
          quantity={t("counts")}
          overlay={(geometry) => (
            <g pointer-events="none" data-testid="labels">
              {labelled && <path class="outline dark" d={outlines(labelled, geometry)} />}
              {labelled && <path class="outline" d={outlines(labelled, geometry)} />}
              {shownNow.map((particle) => {
                const [row, column] = place(particle);
                return (
                  <text key={particle.id} class={particle.id === chosen.value ? "mark strong" : "mark"} x={geometry.x(column)} y={geometry.y(row)} dy="0.35em" text-anchor="middle">
                    {particle.id}
                  </text>
                );
              })}
            </g>
          )}
        />
        <Actions name={`${found.name}-particles`} snippet={{ view: "particles", opened: id }} figure={{ view: "particles", opened: id, index: which }} />
      </section>
      <section aria-labelledby="sizes-title">
        <h2 id="sizes-title">{t("sizes-title")}</h2>
        <Sentence reply={reply} />
        <HistogramPlot histogram={reply.histogram} unit={reply.unit} />
        <Table particles={shownNow} unit={reply.unit} onChoose={choose} />
        <Actions
          name={`${found.name}-sizes`}
          snippet={{ view: "particles", opened: id }}
          figure={{ view: "histogram", opened: id }}
          table={() => api.blob(`runs/${id}/particles.csv`)}
        />
        <details>
          <summary>{t("assumed")}</summary>
          <ul>{reply.notes.map((note) => <li key={note}>{note}</li>)}</ul>
        </details>
      </section>
    </div>
  );
}

/** The particle under the cursor is the chosen one. */
function followCursor(labels: ArrayLike<number>, columns: number): void {
  const [row, column] = rowAndColumn(cursor.value);
  const under = labels[row * columns + column];
  if (under && under !== chosen.peek()) queueMicrotask(() => (chosen.value = under));
}

function Sentence({ reply }: { reply: Message<"ParticlesReply"> }) {
  const unit = unitText(reply.unit);
  if (reply.mean_diameter === null) return <p class="words">{t("no-mean")}</p>;
  const interval = reply.mean_interval ? `${shown(reply.mean_interval[0])}–${shown(reply.mean_interval[1])}` : "–";
  return (
    <p class="words">
      {t("mean-is", { mean: shown(reply.mean_diameter), unit, interval })}
      {reply.area_fraction !== null && ` · ${t("area-is", { percent: shown(100 * reply.area_fraction) })}`}
      {reply.number_density !== null && ` · ${t("density-is", { density: shown(reply.number_density), unit })}`}
    </p>
  );
}

function HistogramPlot({ histogram, unit }: { histogram: Message<"Histogram">; unit: string }) {
  const [box, width, height] = useBox();
  const { edges, counts } = histogram;
  const [LEFT, TOP, BOTTOM] = [52, 10, 40];
  const most = Math.max(1, ...counts);
  const [low, high] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  const x = (value: number) => LEFT + ((value - low) / (high - low || 1)) * (width - LEFT - 14);
  const y = (value: number) => height - BOTTOM - (value / most) * (height - TOP - BOTTOM);
  return (
    <div ref={box} class="image histogram" data-testid="histogram">
      {width > 0 && counts.length > 0 && (
        <svg class="overlay plot" width={width} height={height} role="img" aria-label={t("histogram")}>
          {counts.map((count, index) => (
            <rect key={index} class="column-bar" x={x(edges[index] as number) + 1} width={Math.max(1, x(edges[index + 1] as number) - x(edges[index] as number) - 2)} y={y(count)} height={height - BOTTOM - y(count)} />
          ))}
          <path class="frame" d={`M${LEFT} ${height - BOTTOM}H${width - 14}`} />
          {niceTicks(low, high, width / 90).map((value) => (
            <text key={value} x={x(value)} y={height - BOTTOM + 18} text-anchor="middle">{shown(value)}</text>
          ))}
          {niceTicks(0, most, 4).filter(Number.isInteger).map((value) => (
            <text key={value} x={LEFT - 8} y={y(value)} dy="0.35em" text-anchor="end">{value}</text>
          ))}
          <text x={LEFT + (width - LEFT) / 2} y={height - 5} text-anchor="middle">{t("diameter-in", { unit: unitText(unit) })}</text>
          <text transform={`translate(14 ${TOP + (height - TOP - BOTTOM) / 2}) rotate(-90)`} text-anchor="middle">{t("number-of-particles")}</text>
        </svg>
      )}
    </div>
  );
}

function Table({ particles, unit, onChoose }: { particles: readonly Particle[]; unit: string; onChoose: (particle: Particle) => void }) {
  return (
    <div class="table" tabindex={0} role="region" aria-label={t("table")}>
      <table>
        <thead>
          <tr>
            <th>{t("number")}</th>
            <th>{t("component")}</th>
            <th>{t("diameter-in", { unit: unitText(unit) })}</th>
            <th>{t("area-in", { unit: unitText(unit) })}</th>
            <th>{t("aspect-ratio")}</th>
            <th>{t("at-border")}</th>
          </tr>
        </thead>
        <tbody>
          {particles.map((particle) => (
            <tr key={particle.id} aria-selected={particle.id === chosen.value}>
              <td>
                <button type="button" class="plain" onClick={() => onChoose(particle)}>{particle.id}</button>
              </td>
              <td>{particle.component >= 0 ? particle.component + 1 : "–"}</td>
              <td>{shown(particle.diameter)}</td>
              <td>{shown(particle.area)}</td>
              <td>{particle.aspect_ratio === null ? "–" : shown(particle.aspect_ratio)}</td>
              <td>{particle.on_border ? t("yes") : t("no")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
