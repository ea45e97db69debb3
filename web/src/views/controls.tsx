import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { tableNames } from "../colours";
import type { Contrast, Stretch } from "../contrast";
import { patternLook } from "../state";
import { type Word, t } from "../words";

/** A question mark that shows what a control means, in words. */
export function Hint({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <span class="hint" onKeyDown={(event) => event.key === "Escape" && setOpen(false)}>
      <button
        type="button"
        class="question"
        aria-label={t("help")}
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
        onBlur={() => setOpen(false)}
      >
        ?
      </button>
      {open && (
        <span class="note" id={id} role="note">
          {text}
        </span>
      )}
    </span>
  );
}

interface FieldProps {
  readonly word: Word;
  readonly hint: string;
  readonly children: (id: string) => ComponentChildren;
}

/** A labelled control with its help. */
export function Field({ word, hint, children }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{t(word)}</label>
      {children(id)}
      <Hint text={hint} />
    </div>
  );
}

interface ChoiceProps<Value extends string> {
  readonly word: Word;
  readonly hint: string;
  readonly value: Value;
  readonly options: readonly (readonly [Value, string])[];
  readonly onChange: (value: Value) => void;
}

export function Choice<Value extends string>({ word, hint, value, options, onChange }: ChoiceProps<Value>) {
  return (
    <Field word={word} hint={hint}>
      {(id) => (
        <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value as Value)}>
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface NumberProps {
  readonly word: Word;
  readonly hint: string;
  readonly value: number;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly onChange: (value: number) => void;
}

export function NumberField({ word, hint, value, min, max, step, onChange }: NumberProps) {
  const take = (text: string) => {
    const number = Number(text);
    if (text !== "" && Number.isFinite(number)) onChange(Math.min(max ?? Infinity, Math.max(min ?? -Infinity, number)));
  };
  return (
    <Field word={word} hint={hint}>
      {(id) => (
        <input
          id={id}
          type="number"
          value={Number(value.toPrecision(5))}
          {...(min === undefined ? {} : { min })}
          {...(max === undefined ? {} : { max })}
          step={step ?? "any"}
          onChange={(event) => take(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

interface CheckProps {
  readonly word: Word;
  readonly hint: string;
  readonly value: boolean;
  readonly onChange: (value: boolean) => void;
}

export function Check({ word, hint, value, onChange }: CheckProps) {
  return (
    <Field word={word} hint={hint}>
      {(id) => <input id={id} type="checkbox" checked={value} onChange={(event) => onChange(event.currentTarget.checked)} />}
    </Field>
  );
}

const stretches: readonly Stretch[] = ["linear", "sqrt", "log"];

/** Stretch and brightest percentile of the patterns of results. */
export function PatternLook() {
  const look = patternLook.value;
  return (
    <div class="tools">
      <Choice
        word="pattern-contrast"
        hint={t("stretch-help")}
        value={look.stretch}
        options={stretches.map((stretch) => [stretch, t(stretch)] as const)}
        onChange={(stretch) => (patternLook.value = { ...look, stretch })}
      />
      <NumberField
        word="brightest"
        hint={t("percentile-help")}
        value={look.high}
        min={50}
        max={100}
        step={0.5}
        onChange={(high) => (patternLook.value = { ...look, high })}
      />
    </div>
  );
}

/** Stretch, percentiles and colours of an image. */
export function ContrastControls({ value, onChange }: { value: Contrast; onChange: (value: Contrast) => void }) {
  return (
    <>
      <Choice
        word="stretch"
        hint={t("stretch-help")}
        value={value.stretch}
        options={stretches.map((stretch) => [stretch, t(stretch)] as const)}
        onChange={(stretch) => onChange({ ...value, stretch })}
      />
      <NumberField
        word="darkest"
        hint={t("percentile-help")}
        value={value.low}
        min={0}
        max={50}
        step={0.5}
        onChange={(low) => onChange({ ...value, low })}
      />
      <NumberField
        word="brightest"
        hint={t("percentile-help")}
        value={value.high}
        min={50}
        max={100}
        step={0.5}
        onChange={(high) => onChange({ ...value, high })}
      />
      <Choice
        word="colours"
        hint={t("colours-help")}
        value={value.colours}
        options={tableNames.map((name) => [name, name] as const)}
        onChange={(colours) => onChange({ ...value, colours })}
      />
    </>
  );
}
