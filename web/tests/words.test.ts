import { describe, expect, test } from "vitest";
import { en } from "../src/words/en";
import { ja } from "../src/words/ja";

const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
const sources = import.meta.glob("../src/**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true }) as Record<string, string>;

describe("dictionaries", () => {
  test("have the same keys", () => expect(Object.keys(ja).sort()).toEqual(Object.keys(en).sort()));
  test.each(Object.keys(en) as (keyof typeof en)[])("%s is said in both, with the same values", (key) => {
    expect(en[key].trim()).not.toBe("");
    expect(ja[key].trim()).not.toBe("");
    expect(places(ja[key])).toEqual(places(en[key]));
  });
  test("every word is used somewhere", () => {
    const written = Object.entries(sources)
      .filter(([path]) => !/words\/|schema/.test(path))
      .map(([, text]) => text)
      .join("\n");
    const built = ["light-", "method-", "of-", "status-"]; // t(`status-${job.status}`)
    const unused = Object.keys(en).filter((key) => !built.some((start) => key.startsWith(start)) && !written.includes(`"${key}"`) && !new RegExp(`\\b${key}: (Data|Calibrate|Prepare|Decompose|Groups|Phases|Particles|Runs)\\b`).test(written));
    expect(unused).toEqual([]);
  });
  test("no words stand in the page outside the dictionaries", () => {
    const loose = Object.entries(sources)
      .filter(([path]) => path.endsWith(".tsx"))
      .flatMap(([path, text]) => [...text.matchAll(/>([A-Z][a-z]+(?: [a-z]+)*)<\//g)].map((match) => `${path}: ${match[1]}`));
    expect(loose).toEqual([]);
  });
});
