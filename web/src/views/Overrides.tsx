import { signal } from "@preact/signals";
import { useId, useState } from "preact/hooks";
import { type Message, api } from "../api";
import { useLoaded } from "../loaded";
import { language } from "../state";
import { t } from "../words";
import { Hint } from "./controls";

/** Changed values of the recipe, as `--set` takes them: key=value. */
export const overrides = signal<string[]>([]);

/** Words for every parameter of a recipe and of what is in it, from the recipe's own schema. */
export const useHelp = () => useLoaded(() => api.get<Message<"Help">>(`help/${language.value}`), [language.value]);

/** Any parameter of the recipe, found by name or words, with its plain-language help, and the list of those changed. */
export function Overrides() {
  const help = useHelp();
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const list = useId();
  const known = help?.entries.find((entry) => entry.key === key);
  const add = () => {
    if (!key || value === "") return;
    overrides.value = [...overrides.value.filter((text) => !text.startsWith(`${key}=`)), `${key}=${value}`];
    setKey("");
    setValue("");
  };
  return (
    <fieldset>
      <legend>
        {t("parameters")} <Hint text={t("parameters-help")} />
      </legend>
      <label for={`${list}k`}>{t("parameter")}</label>
      <input id={`${list}k`} list={list} value={key} placeholder={t("type-to-search")} onInput={(event) => setKey(event.currentTarget.value)} />
      <datalist id={list}>
        {help?.entries.map((entry) => (
          <option key={entry.key} value={entry.key} label={entry.meaning} />
        ))}
      </datalist>
      {known && <HelpWords entry={known} />}
      <label for={`${list}v`}>{t("value")}</label>
      <div class="row">
        <input id={`${list}v`} value={value} placeholder={known?.default ?? ""} onInput={(event) => setValue(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && add()} />
        <button type="button" onClick={add}>
          {t("set")}
        </button>
      </div>
      <ul class="set">
        {overrides.value.map((text) => (
          <li key={text}>
            <code>{text}</code>
            <button type="button" class="plain" aria-label={t("take-back", { what: text })} onClick={() => (overrides.value = overrides.value.filter((other) => other !== text))}>
              ×
            </button>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

/** Meaning, unit, range and reason of the default of one parameter. */
export function HelpWords({ entry }: { entry: Message<"HelpEntry"> }) {
  return (
    <div class="help-words">
      <p lang={entry.translated ? undefined : "en"}>{entry.meaning}</p>
      {!entry.translated && <p class="words">{t("english-only")}</p>}
      <dl>
        {entry.unit && <Pair term={t("unit")} text={entry.unit} />}
        {entry.range && <Pair term={t("range")} text={entry.range} />}
        {entry.default && <Pair term={t("default")} text={entry.default} />}
        {entry.why && <Pair term={t("why")} text={entry.why} />}
      </dl>
    </div>
  );
}

function Pair({ term, text }: { term: string; text: string }) {
  return (
    <>
      <dt>{term}</dt>
      <dd>{text}</dd>
    </>
  );
}
