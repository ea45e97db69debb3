import { signal } from "@preact/signals";
import { type Message, api } from "../api";
import { slice } from "../arrays";
import { groupColour } from "../colours";
import type { Geometry } from "../geometry";
import { useLoaded } from "../loaded";
import { sentence, shown } from "../scales";
import { candidatesOpen, mapLook, patternLook, run, runId, scanId, screen } from "../state";
import { Absent } from "../views/Absent";
import { PatternLook } from "../views/controls";
import { Actions } from "../views/Actions";
import { MapPicture, PatternPicture } from "../views/Picture";
import { Rings, circle, miller } from "../views/Rings";
import { t } from "../words";

type Answer = Message<"Answer">;
type Match = Message<"Match">;

const chosenGroup = signal<number | null>(null); // null: the first that has candidates
/** 0: the best candidate; 1: the runner-up; ... */
const candidate = signal(0);

/** Screen 6: measured against expected spots of each group, and the runner-up one click away. */
export function Phases() {
  const found = run.value;
  if (!found || !found.has.includes("phases")) return <ToCandidates run={found} />;
  return <Named key={runId.value} id={runId.value as string} run={found} />;
}

/** What to do where no phases were named: the way to the list of candidates. */
function ToCandidates({ run: found }: { run: Message<"RunSummary"> | null }) {
  const go = () => {
    candidatesOpen.value = true;
    screen.value = "decompose";
  };
  return (
    <section class="absent">
      <p class="advice">{t(found ? "no-phases" : "no-phases-yet")}</p>
      {scanId.value && (
        <div class="buttons">
          <button type="button" class="main" onClick={go}>
            {t("choose-candidates")}
          </button>
        </div>
      )}
    </section>
  );
}

function Named({ id, run: found }: { id: string; run: Message<"RunSummary"> }) {
  const reply = useLoaded(() => api.get<Message<"PhasesReply">>(`runs/${id}/phases`), [id]);
  const patterns = useLoaded(() => api.array(`runs/${id}/groups/patterns`), [id]);
  const maps = useLoaded(() => api.array(`runs/${id}/groups/maps`), [id]);
  if (!reply) return <section />;
  const answer =
    reply.answers.find((one) => one.group === chosenGroup.value) ??
    reply.answers.find((one) => one.matches.length) ??
    reply.answers[0];
  if (!answer) return <Absent what="no-phases" run={found} />;
  const match = answer.matches[Math.min(candidate.value, answer.matches.length - 1)];
  const choose = (group: number) => {
    chosenGroup.value = group;
    candidate.value = 0;
  };
  return (
    <div class="two">
      <section aria-labelledby="phase-title">
        <h2 id="phase-title">{t("phase-title", { n: answer.group + 1 })}</h2>
        <div class="row choices" role="group" aria-label={t("groups-title")}>
          {reply.answers.map((one) => (
            <button key={one.group} type="button" aria-pressed={one.group === answer.group} onClick={() => choose(one.group)}>
              <b class="badge" style={{ background: groupColour(one.group) }}>
                {one.group + 1}
              </b>{" "}
              {one.phase}
            </button>
          ))}
        </div>
        <PatternLook />
        <PatternPicture
          label={t("measured-and-expected")}
          array={patterns && slice(patterns, answer.group)}
          axes={found.pattern_axes}
          contrast={patternLook.value}
          quantity={t("share-of-counts")}
          overlay={(geometry) => <Overlay answer={answer} match={match} reply={reply} geometry={geometry} />}
        />
        <Legend />
        <Actions name={`${found.name}-phases`} snippet={{ view: "phases", opened: id }} figure={{ view: "phases", opened: id, index: answer.group, candidate: candidate.value }} />
      </section>
      <section aria-labelledby="candidates-title">
        <h2 id="candidates-title">{t("candidates")}</h2>
        <p class="words">{sentence(answer.reason)}</p>
        {answer.phase === "unknown" && <p class="advice">{t("unknown-advice")}</p>}
        <Candidates answer={answer} />
        {match && <MatchWords match={match} />}
        <figure class="low">
          <figcaption>{t("group-map", { n: answer.group + 1 })}</figcaption>
          <MapPicture label={t("group-map", { n: answer.group + 1 })} array={maps && slice(maps, answer.group)} axes={found.scan_axes} contrast={mapLook} quantity={t("counts")} />
        </figure>
        {reply.notes.length > 0 && (
          <details>
            <summary>{t("assumed")}</summary>
            <ul>
              {reply.notes.map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          </details>
        )}
      </section>
    </div>
  );
}

interface OverlayProps {
  readonly answer: Answer;
  readonly match: Match | undefined;
  readonly reply: Message<"PhasesReply">;
  readonly geometry: Geometry;
}

/** Measured spots as circles, expected ones as crosses: told apart by form. */
function Overlay({ answer, match, reply, geometry }: OverlayProps) {
  const radii = match?.rings.length ? match.rings : answer.halo;
  return (
    <g pointer-events="none" data-testid="spots">
      <Rings
        geometry={geometry}
        rings={radii.map((radius) => circle(reply.center, radius / reply.scale))}
        names={radii.map((radius) => shown(radius))}
      />
      {answer.spots.map((spot, index) => (
        <g key={index} class="measured">
          <circle class="under" cx={geometry.x(spot.u)} cy={geometry.y(spot.v)} r={9} />
          <circle class="over" cx={geometry.x(spot.u)} cy={geometry.y(spot.v)} r={9} />
        </g>
      ))}
      {match?.spots.map((spot, index) => {
        const [x, y, arm] = [geometry.x(spot.u), geometry.y(spot.v), spot.spot === null ? 4 : 6];
        const path = spot.doubled ? `M${x - arm} ${y}H${x + arm}` : `M${x - arm} ${y - arm}L${x + arm} ${y + arm}M${x - arm} ${y + arm}L${x + arm} ${y - arm}`;
        return (
          <g key={index} class="expected">
            <path class="under" d={path} />
            <path class="over" d={path} />
            {spot.spot !== null && (
              <text class="mark small" x={x + 10} y={y - 8}>
                {miller(spot.hkl)}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
}

function Legend() {
  return (
    <p class="legend">
      <svg width="20" height="20" class="measured" aria-hidden="true">
        <circle class="over" cx="10" cy="10" r="7" />
      </svg>
      {t("measured-spot")}
      <svg width="20" height="20" class="expected" aria-hidden="true">
        <path class="over" d="M4 4L16 16M4 16L16 4" />
      </svg>
      {t("expected-spot")}
      <svg width="20" height="20" class="expected" aria-hidden="true">
        <path class="over" d="M3 10H17" />
      </svg>
      {t("doubled-spot")}
    </p>
  );
}

function Candidates({ answer }: { answer: Answer }) {
  if (!answer.matches.length) return <p class="advice">{t("no-candidates")}</p>;
  return (
    <div class="table short">
      <table data-testid="candidates">
        <thead>
          <tr>
            <th>{t("candidate")}</th>
            <th>{t("score")}</th>
            <th>{t("by-chance")}</th>
            <th>{t("explained")}</th>
            <th>{t("zone-axis")}</th>
          </tr>
        </thead>
        <tbody>
          {answer.matches.map((match, index) => (
            <tr key={index} aria-selected={index === candidate.value}>
              <td>
                <button type="button" class="plain" aria-pressed={index === candidate.value} onClick={() => (candidate.value = index)}>
                  {match.phase}
                </button>{" "}
                {index === 1 && <em>{t("runner-up")}</em>}
              </td>
              <td>{shown(match.score)}</td>
              <td>{match.probability === null ? "–" : shown(match.probability, 2)}</td>
              <td>{match.explained === null ? "–" : `${shown(100 * match.explained, 2)} %`}</td>
              <td>{match.zone_axis ? `[${miller(match.zone_axis)}]` : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function MatchWords({ match }: { match: Match }) {
  const facts = [
    match.by,
    match.rotation_deg !== null && t("turned-by", { degrees: match.rotation_deg.toFixed(1) }),
    t("scaled-by", { scale: match.scale.toFixed(4) }),
    match.residual !== null && t("residual-is", { value: shown(match.residual) }),
    match.seen !== null && t("seen-is", { percent: shown(100 * match.seen, 2) }),
  ];
  return <p class="words">{facts.filter(Boolean).join(" · ")}</p>;
}
