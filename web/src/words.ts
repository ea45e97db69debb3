import { en } from "./words/en";
import { ja } from "./words/ja";
import { language } from "./state";

export type Word = keyof typeof en;
export const dictionaries = { en, ja } as const;

/** Returns the words for a key in the language that is chosen; `{name}` stands for values. */
export function t(key: Word, values: Record<string, string | number> = {}): string {
  const text: string = dictionaries[language.value][key];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
