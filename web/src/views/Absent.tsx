import type { Message } from "../api";
import { type Word, t } from "../words";

/** What to do where a screen has nothing to show, in words. */
export function Absent({ what, run }: { what: Word; run: Message<"RunSummary"> | null }) {
  return (
    <section class="absent">
      <p class="advice">{run ? t(what) : t("no-run-yet")}</p>
    </section>
  );
}
