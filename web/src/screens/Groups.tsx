import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Message, api } from "../api";
import { type NdArray, slice } from "../arrays";
import { groupColour } from "../colours";
import { rowAndColumn } from "../frames";
import { sentence, shown } from "../scales";
import { Newest } from "../newest";
import { useLoaded } from "../loaded";
import { complain, cursor, mapLook, patternLook, run, runId } from "../state";
import { Actions } from "../views/Actions";
import { Dendrogram } from "../views/Dendrogram";
import { MapPicture, PatternPicture } from "../views/Picture";
import { Thumb } from "../views/Thumb";
import { Absent } from "../views/Absent";
import { PatternLook } from "../views/controls";
import { t } from "../words";

/** The groups at a cut: those of the run until the line is moved. */
interface Cut {
  readonly height: number;
  readonly labels: readonly number[];
  readonly rotation: readonly number[];
  readonly groups: readonly Message<"GroupModel">[];
  readonly patterns: NdArray | null;
  readonly maps: NdArray | null;
}

const cut = signal<Cut | null>(null);
const chosenGroup = signal(0);
const chosenLeaf = signal(0);

/** Screen 5: the tree of components with a cut to drag, and the aligned pattern of each group. */
export function Groups() {
  const found = run.value;
  if (!found || !found.has.includes("groups")) return <Absent what="no-groups" run={found} />;
  return <Grouped key={runId.value} id={runId.value as string} run={found} />;
}

function Grouped({ id, run: found }: { id: string; run: Message<"RunSummary"> }) {
  const reply = useLoaded(() => api.get<Message<"GroupsReply">>(`runs/${id}/groups`), [id]);
  const own = useLoaded(() => Promise.all([api.array(`runs/${id}/groups/patterns`), api.array(`runs/${id}/groups/maps`)]), [id]);
  const members = useLoaded(() => Promise.all([api.array(`runs/${id}/components/patterns`), api.array(`runs/${id}/components/maps`)]), [id]);
  const newest = useRef(new Newest<{ height: number; ended: boolean }>((asked) => recut(id, asked)));
  useEffect(() => {
    if (!reply) return;
    const [patterns, maps] = own ?? [null, null];
    cut.value = { height: reply.cut, labels: reply.labels, rotation: reply.rotation_deg, groups: reply.groups, patterns, maps };
  }, [reply, own]);
  const now = cut.value;
  if (!reply || !now) return <section />;
  const index = Math.min(chosenGroup.value, now.groups.length - 1);
  const group = now.groups[index];
  const asked = { view: "groups" as const, opened: id, height: now.height === reply.cut ? null : now.height };
  const move = (height: number, ended: boolean) => {
    cut.value = { ...now, height };
    newest.current.ask({ height, ended });
  };
  const choose = (leaf: number) => {
    chosenLeaf.value = leaf;
    chosenGroup.value = now.labels[leaf] ?? 0;
  };
  return (
    <div class="groups">
      <section class="column" aria-labelledby="tree-title">
        <h2 id="tree-title">{t("tree-title", { n: now.groups.length })}</h2>
        <Dendrogram tree={reply.tree} leaves={reply.leaves} labels={now.labels} cut={now.height} onCut={move} chosen={chosenLeaf.value} onChoose={choose} />
        <p class="words">
          {t("cut-help")} {now.height === reply.cut ? sentence(reply.cut_reason) : t("cut-moved", { cut: reply.cut.toFixed(3) })}
          {now.height !== reply.cut && (
            <button type="button" onClick={() => move(reply.cut, true)}>
              {t("cut-back")}
            </button>
          )}
        </p>
        <Actions name={`${found.name}-tree`} snippet={asked} figure={{ ...asked, view: "dendrogram" }} />
      </section>
      <section class="column" aria-labelledby="groups-title">
        <h2 id="groups-title">{t("groups-title")}</h2>
        <PatternLook />
        <GroupTiles now={now} index={index} />
        <Actions name={`${found.name}-groups`} snippet={asked} figure={asked} />
        {group && (
          <div class="two-small">
            <figure>
              <figcaption>{t("group-pattern", { n: index + 1 })}</figcaption>
              <PatternPicture label={t("group-pattern", { n: index + 1 })} array={now.patterns && ofStack(now.patterns, index)} axes={found.pattern_axes} contrast={patternLook.value} quantity={t("share-of-counts")} />
            </figure>
            <figure>
              <figcaption>{t("group-map", { n: index + 1 })}</figcaption>
              <MapPicture label={t("group-map", { n: index + 1 })} array={now.maps && ofStack(now.maps, index)} axes={found.scan_axes} contrast={mapLook} quantity={t("counts")} />
            </figure>
          </div>
        )}
        {group && members && <Members group={group} rotation={now.rotation} patterns={members[0]} maps={members[1]} />}
      </section>
    </div>
  );
}

const ofStack = (stack: NdArray, index: number): NdArray => slice(stack, Math.min(index, (stack.shape[0] ?? 1) - 1));

function GroupTiles({ now, index }: { now: Cut; index: number }) {
  const here = rowAndColumn(cursor.value);
  const { patterns, maps } = now;
  return (
    <ul class="tiles" data-testid="groups">
      {now.groups.map((group) => (
        <li key={group.index}>
          <button type="button" class="tile" aria-pressed={group.index === index} onClick={() => (chosenGroup.value = group.index)}>
            <span class="title">
              <b class="badge" style={{ background: groupColour(group.index) }}>
                {group.index + 1}
              </b>
              {t("n-members", { n: group.members.length })}
              {group.phase ? ` · ${group.phase}` : ""}
            </span>
            {patterns && maps && patterns.shape[0] === now.groups.length && (
              <span class="pair">
                <Thumb image={slice(patterns, group.index)} label={t("group-pattern", { n: group.index + 1 })} contrast={patternLook.value} />
                <Thumb image={slice(maps, group.index)} label={t("group-map", { n: group.index + 1 })} contrast={mapLook} cursor={here} />
              </span>
            )}
          </button>
        </li>
      ))}
    </ul>
  );
}

interface MembersProps {
  readonly group: Message<"GroupModel">;
  readonly rotation: readonly number[];
  readonly patterns: NdArray;
  readonly maps: NdArray;
}

/** The components of a group, each with the angle by which it was turned onto the strongest. */
function Members({ group, rotation, patterns, maps }: MembersProps) {
  return (
    <>
      <h3>{t("members-of", { n: group.index + 1 })}</h3>
      <ul class="tiles">
        {group.members.map((member) => (
          <li key={member} class="tile">
            <span class="title">
              {t("component-n", { n: member + 1 })} · {shown(Math.round(rotation[member] ?? 0))}°
            </span>
            <span class="pair">
              <Thumb image={slice(patterns, member)} label={t("pattern-of", { n: member + 1 })} contrast={patternLook.value} />
              <Thumb image={slice(maps, member)} label={t("map-of", { n: member + 1 })} contrast={mapLook} cursor={rowAndColumn(cursor.value)} />
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Asks for groups at another height: labels while the line moves, aligned patterns when it rests. */
async function recut(id: string, { height, ended }: { height: number; ended: boolean }): Promise<void> {
  try {
    const reply = await api.post<Message<"CutReply">>(`runs/${id}/groups/cut`, { height, align: ended });
    const [patterns, maps] =
      reply.patterns && reply.maps ? await Promise.all([api.array(`arrays/${reply.patterns}`), api.array(`arrays/${reply.maps}`)]) : [null, null];
    const now = cut.value;
    if (!now) return;
    cut.value = {
      height: now.height,
      labels: reply.labels,
      rotation: reply.rotation_deg,
      groups: reply.groups,
      patterns: patterns ?? now.patterns,
      maps: maps ?? now.maps,
    };
  } catch (error) {
    complain(error);
  }
}
