"""Are the answers right: grouping, rotations, sizes, grains?  make bench-answers

    python benchmarks/answers.py --only grouping sizes --seeds 8 --keep answer-runs

    grouping   three phases in random rotation, on their zone axes and tilted by up to 3 degrees; true patterns, and the
               components of the shipped recipe
    sizes      mean diameters of 5, 7 and 10 nm through the whole pipeline, with their intervals
    pairs      seconds for all pairs of 200 patterns of 256 x 256 pixels
    grains     a scan that somebody else simulated, grain by grain (left out where it is absent)
    phases     simulated patterns of six structures along random directions: named right, and "unknown" where the right
               structure is not among the candidates

Every measurement is a process of its own and is written to the JSON file at once; what is there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from answers_cases import DIAMETERS, DYNAMICAL, GRAINS, TILTS
from child import ChildFailedError, run
from inputs import ROOT
from pairs import machine, write
from recovery import revision

ONCE = Path(__file__).with_name("answers_once.py")
ONLY = ("grouping", "sizes", "pairs", "grains", "phases")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the table: a number over the seeds, and what it has to be.

    Parameters
    ----------
    what : str
    values : tuple of float
        One per seed; NaN where it is not defined.
    target : str
        In words.
    met : callable (values) -> bool
    """

    what: str
    values: tuple[float, ...]
    target: str
    met: Callable[[Sequence[float]], bool]

    def text(self) -> str:
        """Return the line: median, in brackets the least and the most, the target, and whether it is met."""
        known = [value for value in self.values if value == value]
        if not known:
            return f"| {self.what} | 0 | - | {self.target} | - |"
        spread = f"{statistics.median(known):.3g} [{min(known):.3g}, {max(known):.3g}]"
        verdict = "" if not self.target else "yes" if self.met(known) else "NO"
        return f"| {self.what} | {len(known)} | {spread} | {self.target} | {verdict} |"


def within(low: float, high: float) -> Callable[[Sequence[float]], bool]:
    """Return the rule that every value lies within two limits."""
    return lambda values: all(low <= value <= high for value in values)


def on_average(least: float) -> Callable[[Sequence[float]], bool]:
    """Return the rule that the mean reaches a limit."""
    return lambda values: statistics.mean(values) >= least


def anything(values: Sequence[float]) -> bool:
    """Return True: a number that is told, without a target."""
    return True


def jobs(asked: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Yield the words of every measurement, seed by seed: a look at all comes before a look at many."""
    for seed in map(str, range(1, asked.seeds + 1)):
        if "grouping" in asked.only:
            for tilt in TILTS:
                yield "patterns", tilt, seed
                yield "components", tilt, seed
        if "sizes" in asked.only:
            for diameter in asked.diameters:
                yield "sizes", diameter, seed
        if "phases" in asked.only:
            for dynamical in DYNAMICAL:
                yield "phases", dynamical, seed
    if "pairs" in asked.only:
        for number in range(asked.repeats):
            yield "pairs", asked.pairs, str(number + 1)
    if "grains" in asked.only:
        if GRAINS.exists():
            yield ("grains",)
        else:
            print(f"grains: left out, {GRAINS.name} is not beside the repository", file=sys.stderr)


def measure(records: dict[str, Any], asked: argparse.Namespace, failed: dict[str, str]) -> None:
    """Measure whatever is not in the records; a failure is told and leaves the rest alone."""
    tree = revision()
    for words in jobs(asked):
        key = "|".join(words)
        if key in records:
            continue
        place = ["--keep", str(asked.keep)] if asked.keep else []
        try:
            said, cost = run([sys.executable, str(ONCE), *words, *place])
        except ChildFailedError as error:
            failed[key] = str(error)
            print(f"FAILED {key}: {str(error).splitlines()[-1]}", file=sys.stderr, flush=True)
        else:
            records[key] = json.loads(said.splitlines()[-1]) | {"process": asdict(cost), "revision": tree}
            told = ", ".join(f"{k} {v:.4g}" for k, v in records[key].items() if isinstance(v, int | float))
            print(f"{key}: {told}", file=sys.stderr, flush=True)
        write(asked.out, {"machine": machine(), "records": records, "failed": failed})


def rows(records: Mapping[str, Record]) -> list[Row]:
    """Return the table of all records: what is not measured has no line."""

    def column(start: str, name: str) -> tuple[float, ...]:
        found = (record for key, record in records.items() if key.startswith(f"{start}|"))
        return tuple(float("nan") if r[name] is None else float(r[name]) for r in found)

    table = []
    for kind, least in (("patterns", 0.9), ("components", 0.8)):
        for tilt, words in TILTS.items():
            start = f"{kind}|{tilt}"
            on = f"{'true patterns' if kind == 'patterns' else 'components'}, {words}"
            table += [
                Row(f"{on}: adjusted Rand index", column(start, "rand"), f">= {least}", within(least, 1)),
                Row(
                    f"{on}: rotation error, median of a scan, degrees",
                    column(start, "rotation"),
                    "<= 0.5",
                    within(0, 0.5),
                ),
            ]
            if not float(tilt):
                table.append(Row(f"{on}: phases that are split", column(start, "split"), "0", within(0, 0)))
            elif kind == "components":
                table.append(Row(f"{on}: found of 20", column(start, "found"), "", anything))
    for diameter in DIAMETERS:
        start, on = f"sizes|{diameter}", f"{diameter} nm"
        table += [
            Row(f"{on}: mean diameter off, %", column(start, "off"), "within 5", within(-5, 5)),
            Row(f"{on}: mean by fit off, %", column(start, "fit_off"), "within 5", within(-5, 5)),
            Row(
                f"{on}: true mean in the 95 % interval",
                column(start, "covered"),
                "in 90 %",
                lambda values: statistics.mean(values) >= 0.9,
            ),
            Row(f"{on}: particles that do not exist", column(start, "false"), "", anything),
        ]
    for size in sorted({key.split("|")[1] for key in records if key.startswith("pairs|")}):
        many = column(f"pairs|{size}", "wall_s")
        table.append(Row(f"{size}: seconds, all pairs", many, "best < 5", lambda values: min(values) < 5))
    for dynamical, words in DYNAMICAL.items():
        start = f"phases|{dynamical}"
        table += [
            Row(f"phases, {words}: right one first", column(start, "first"), "mean >= 0.9", on_average(0.9)),
            Row(f"phases, {words}: named right", column(start, "right"), "", anything),
            Row(f"phases, {words}: named wrong", column(start, "wrong"), "", anything),
            Row(
                f"phases, {words}: absent one unknown",
                column(start, "absent_unknown"),
                "mean >= 0.8",
                on_average(0.8),
            ),
        ]
    for name, words in (("grains", "grains"), ("phases", "phases")):
        seen = tuple(float(r[name]) for key, r in records.items() if key == "grains")
        table.append(Row(f"grains of others: adjusted Rand index of {words}", seen, "", anything))
    return [row for row in table if row.values]


def show(records: Mapping[str, Record]) -> str:
    """Return the table of Markdown, and grain by grain what was found of the grains."""
    lines = ["| what | seeds | median [least, most] | target | met |", "|---|---|---|---|---|"]
    lines += [row.text() for row in rows(records)]
    covered = [r["covered"] for key, r in records.items() if key.startswith("sizes|")]
    if covered:
        lines.append(f"\nTrue mean in the interval: {sum(covered)} of {len(covered)} scans")
    if "grains" in records:
        lines += [
            "\n| true grain | phase | positions | its component | share of positions | group | rotation off |"
        ]
        lines.append("|---|---|---|---|---|---|---|")
        for one in records["grains"]["table"]:
            turn = "-" if one["rotation_off"] is None else f"{one['rotation_off']:.2f}"
            lines.append(
                f"| {one['grain']} | {one['phase']} | {one['positions']} | {one['component']} | "
                f"{one['share']:.2f} | {one['group']} | {turn} |"
            )
    return "\n".join(lines)


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=ONLY, default=ONLY)
    parser.add_argument("--seeds", type=int, default=8, help="seeds 1 to this")
    parser.add_argument("--diameters", nargs="+", choices=DIAMETERS, default=DIAMETERS)
    parser.add_argument("--pairs", default="200x256", help="patterns x pixels along an edge")
    parser.add_argument("--repeats", type=int, default=5, help="of the pairs")
    parser.add_argument("--keep", type=Path, help="folder of runs: those that are there are not made again")
    parser.add_argument("--again", action="store_true", help="measure everything anew")
    parser.add_argument("--only-show", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "answers.json")
    asked = parser.parse_args(words)
    if asked.seeds < 1 or asked.repeats < 1:
        parser.error("--seeds, --repeats: expected at least 1")
    return asked


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 1 where a measurement failed or a target is missed."""
    asked = parse(words)
    known = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else {}
    records: dict[str, Any] = {} if asked.again else known.get("records", {})
    failed: dict[str, str] = {}
    if not asked.only_show:
        measure(records, asked, failed)
    print(show(records))
    if failed:
        print(f"\n{len(failed)} failed, see {asked.out}")
    missed = [row.what for row in rows(records) if not row.met([v for v in row.values if v == v] or [0.0])]
    return 1 if failed or missed else 0


if __name__ == "__main__":
    sys.exit(main())
