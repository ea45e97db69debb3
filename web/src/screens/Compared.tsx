import { type Message, api } from "../api";
import { type NdArray, slice } from "../arrays";
import { type Contrast, type Limits, limits } from "../contrast";
import type { Job } from "../jobs";
import { useLoaded } from "../loaded";
import { sentence, shown } from "../scales";
import { Actions } from "../views/Actions";
import { Curve, type Line } from "../views/Curve";
import { overrides } from "../views/Overrides";
import { Thumb } from "../views/Thumb";
import { type Word, t } from "../words";

/** The rank figure: what held-out electrons say of each number of components. */
export function Ranked({ job }: { job: Job }) {
  const found = useLoaded(() => api.get<Message<"RankCurve">>(`jobs/${job.id}/rank/curve`), [job.id]);
  if (!found) return <section />;
  const edge = found.singular_values.map((value) => Math.log10(value / found.noise_edge));
  const places = edge.map((_, index) => index + 1);
  const panels: { title: Word; up: Word; lines: Line[] }[] = [
    {
      title: "rank-edge",
      up: "rank-edge-axis",
      lines: [
        { name: t("singular-values"), x: places, y: edge },
        { name: t("noise-edge"), x: places, y: edge.map(() => 0) },
      ],
    },
    {
      title: "rank-held-out",
      up: "rank-held-out-axis",
      lines: [{ name: t("rank-held-out"), x: found.ranks, y: found.columns.held_out ?? [], errors: found.columns.uncertainty }],
    },
    { title: "rank-confirmed", up: "rank-confirmed-axis", lines: [{ name: t("rank-confirmed"), x: found.ranks, y: found.columns.confirmed ?? [] }] },
    { title: "rank-stability", up: "rank-stability-axis", lines: [{ name: t("rank-stability"), x: found.ranks, y: found.columns.stability ?? [] }] },
    { title: "rank-error", up: "rank-error", lines: [{ name: t("rank-error"), x: found.ranks, y: found.columns.relative_error ?? [] }] },
  ];
  return (
    <section class="column" aria-labelledby="rank-title">
      <h2 id="rank-title">{t("rank-title")}</h2>
      <p class="words">
        {t("rank-is", { n: found.n_components, most: found.most })} {sentence(found.reason)}
      </p>
      <div class="curves-grid">
        {panels.map(({ title, up, lines }) => (
          <figure key={title}>
            <figcaption>{t(title)}</figcaption>
            <Curve
              label={t(title)}
              lines={lines}
              across={t(title === "rank-edge" ? "place-in-spectrum" : "components")}
              up={t(up)}
              marked={title === "rank-edge" ? null : found.n_components}
              dots
            />
          </figure>
        ))}
      </div>
      <Actions name="rank" snippet={{ view: "rank", opened: job.scan }} figure={{ view: "rank", opened: job.id }} />
    </section>
  );
}

/** PCA, plain and constrained factorisation of the same scan, side by side. */
export function Compared({ job }: { job: Job }) {
  const found = useLoaded(() => api.get<Message<"Comparison">>(`jobs/${job.id}/compare/methods`), [job.id]);
  if (!found) return <section />;
  return (
    <section class="column" aria-labelledby="compare-title">
      <h2 id="compare-title">{t("compare-title")}</h2>
      <p class="words">{t("signed-look")}</p>
      <Actions name="methods" snippet={{ view: "methods", opened: job.scan, overrides: overrides.value }} figure={{ view: "methods", opened: job.id }} />
      <div class="methods">
        {found.methods.map((method) => (
          <Method key={method.method} job={job.id} method={method} />
        ))}
      </div>
    </section>
  );
}

function Method({ job, method }: { job: string; method: Message<"CompareMethod"> }) {
  const place = `jobs/${job}/compare/${method.method}`;
  const maps = useLoaded(() => api.array(`${place}/maps`), [place]);
  const patterns = useLoaded(() => api.array(`${place}/patterns`), [place]);
  return (
    <div class="method">
      <h3>{t(`method-${method.method}`)}</h3>
      <p class="words">{t(`method-${method.method}-words`)}</p>
      <p class="words">
        {method.relative_error !== null && t("error-is", { percent: shown(100 * method.relative_error) })}
        {" · "}
        {t("negative-is", { percent: shown(100 * method.negative_share, 2) })}
      </p>
      <ul class="tiles">
        {Array.from({ length: method.n_components }, (_, index) => (
          <li key={index} class="tile">
            <span class="title">{index + 1}</span>
            <span class="pair">
              {patterns && <Signed image={slice(patterns, index)} label={t("pattern-of", { n: index + 1 })} stretch="sqrt" />}
              {maps && <Signed image={slice(maps, index)} label={t("map-of", { n: index + 1 })} stretch="linear" />}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A picture that may have negative values: then blue below 0, orange above, and white at 0. */
function Signed({ image, label, stretch }: { image: NdArray; label: string; stretch: Contrast["stretch"] }) {
  const { range, colours } = signedLook(image, stretch);
  return <Thumb image={image} label={label} contrast={{ stretch, low: 0, high: 99.8, colours }} range={range} colours={colours} />;
}

export function signedLook(image: NdArray, stretch: Contrast["stretch"]): { range: Limits; colours: "balance" | "viridis" } {
  const own = limits(image, { stretch: "linear", low: 0.2, high: 99.8, colours: "viridis" });
  const reach = Math.max(Math.abs(own.low), Math.abs(own.high));
  if (own.low < -1e-3 * reach) return { range: { low: -reach, high: reach, stretch: "linear" }, colours: "balance" };
  return { range: limits(image, { stretch, low: 0, high: 99.8, colours: "viridis" }), colours: "viridis" };
}
