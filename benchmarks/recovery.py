"""How much of what is there is found?  make bench-recovery

    python benchmarks/recovery.py --cases base disk --doses 3000 10000 --seeds 1 2 3 --recipes plain shipped

Phantoms with truth, judged beside oracles that are given half of it (docs/how-to/measure-recovery.md). Every
measurement is a process of its own and is written to the JSON file at once; what is there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from child import ChildFailedError, run
from inputs import ROOT
from pairs import machine
from recovery_cases import CASES, DOSES, SEEDS, USUAL

ONCE = Path(__file__).with_name("recovery_once.py")
RECIPES = ("sklearn", "plain", "physics", "shipped", "twice", "doubled")
COLUMNS = (
    ("of physics", "found/physics", "{:.2f}"),
    ("of plain", "found/plain", "{:.2f}"),
    ("false/found", "false/found", "{:.2f}"),
    ("truth error", "truth_error", "{:.4f}"),
    ("grouping", "grouping", "{:.2f}"),
    ("out of band", "out_of_band", "{:.3f}"),
    ("dips", "dips", "{:.3f}"),
    ("cosine", "cosine", "{:.3f}"),
    ("wall s", "wall_s", "{:.1f}"),
)


class Book:
    """The records of all measurements, in one JSON file that is written after each.

    Parameters
    ----------
    file : Path
        Read where it exists; records are kept under ``case|dose|seed|recipe``, oracles under the phantom's address.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self.runs: dict[str, Any] = known.get("runs", {})
        self.oracles: dict[str, Any] = known.get("oracles", {})
        self.failed: dict[str, str] = {}

    @staticmethod
    def key(case: str, dose: float, seed: int, recipe: str) -> str:
        """Return the name of a measurement."""
        return f"{case}|{dose:.15g}|{seed}|{recipe}"

    def shelf(self, case: str, dose: float, seed: int, recipe: str) -> tuple[dict[str, Any], str]:
        """Return where a record belongs: oracles of cases that share a phantom are one."""
        if recipe == "oracle":
            return self.oracles, CASES[case].address(dose, seed)
        return self.runs, self.key(case, dose, seed, recipe)

    def forget(self, recipes: Sequence[str]) -> None:
        """Drop the records of some recipes, to measure them anew."""
        self.runs = {key: value for key, value in self.runs.items() if key.rsplit("|", 1)[1] not in recipes}

    def save(self) -> None:
        """Write everything; a file that is being written never stands under the name."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        draft = self.file.with_suffix(".part")
        document = {"machine": machine(), "oracles": self.oracles, "runs": self.runs, "failed": self.failed}
        draft.write_text(json.dumps(document, indent=1), encoding="utf-8")
        draft.replace(self.file)


def revision() -> str:
    """Return which revision of the tree measures, ``+`` where it holds changes of its own; empty without git."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=10"]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def wanted(asked: argparse.Namespace) -> Iterator[tuple[str, float, int, str]]:
    """Yield what is to be measured: phantom by phantom, its oracles first."""
    for seed in asked.seeds:
        for case in asked.cases:
            for dose in asked.doses:
                for recipe in ("oracle", *asked.recipes):
                    yield case, dose, seed, recipe


def measure(book: Book, asked: argparse.Namespace) -> None:
    """Measure whatever the book does not hold; a failure is told and leaves the rest alone."""
    tree = revision()
    for what in wanted(asked):
        shelf, key = book.shelf(*what)
        if key in shelf:
            continue
        case, dose, seed, recipe = what
        try:
            said, cost = run([sys.executable, str(ONCE), case, f"{dose:.15g}", str(seed), recipe])
            shelf[key] = json.loads(said) | {"process": asdict(cost), "revision": tree}
        except ChildFailedError as error:
            book.failed[book.key(*what)] = str(error)
            print(f"FAILED {book.key(*what)}: {str(error).splitlines()[-1]}", file=sys.stderr, flush=True)
        else:
            told = ", ".join(f"{k} {v:.4g}" for k, v in shelf[key].items() if isinstance(v, (int, float)))
            print(f"{book.key(*what)}: {told}", file=sys.stderr, flush=True)
        book.save()


def ratio(part: float, whole: float) -> float:
    """Return part / whole; infinite where the whole is nothing and the part is not, and undefined for 0 of 0.

    Examples
    --------
    >>> ratio(3, 4), ratio(2, 0), ratio(0, 0)
    (0.75, inf, nan)
    """
    if whole:
        return part / whole
    return math.inf if part else math.nan


def numbers(record: Mapping[str, Any], oracle: Mapping[str, Any] | None) -> dict[str, float]:
    """Return a record with its ratios; those to the oracles only where they are known."""
    found = record["found"]
    of = {
        f"found/{name}": ratio(found, oracle[name]) if oracle else math.nan for name in ("physics", "plain")
    }
    plain = {key: math.nan if value is None else value for key, value in record.items()}
    return plain | of | {"false/found": ratio(record["false"], found)}


def spread(values: Sequence[float], form: str) -> str:
    """Return ``median [least, most]`` of the values that are defined, ``-`` where none is.

    Examples
    --------
    >>> spread([0.5, 1.0, 0.75], "{:.2f}"), spread([math.nan], "{:.2f}")
    ('0.75 [0.50, 1.00]', '-')
    """
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return "-"
    middle = statistics.median(known) if math.isfinite(known[-1]) else known[len(known) // 2]
    texts = [form.format(value) for value in (middle, known[0], known[-1])]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]" if len(known) > 1 else texts[0]


def rows(book: Book, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one row per case, dose and recipe that has records: found by seed, and all values of each column."""
    table = []
    for case in asked.cases:
        for dose in asked.doses:
            for recipe in asked.recipes:
                seeds = [s for s in asked.seeds if book.key(case, dose, s, recipe) in book.runs]
                if not seeds:
                    continue
                records = [
                    numbers(
                        book.runs[book.key(case, dose, s, recipe)],
                        book.oracles.get(CASES[case].address(dose, s)),
                    )
                    for s in seeds
                ]
                columns = {key: [record[key] for record in records] for _, key, _ in COLUMNS}
                found = [int(record["found"]) for record in records]
                row = {"case": case, "dose": dose, "recipe": recipe, "seeds": seeds, "found": found}
                table.append(row | {"columns": columns})
    return table


def show(table: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as a table of Markdown: medians, and in brackets the least and the most over the seeds."""
    head = ["case", "electrons", "recipe", "seeds", "found", *(title for title, _, _ in COLUMNS)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in table:
        cells = [row["case"], f"{row['dose']:,.0f}", row["recipe"], str(len(row["seeds"]))]
        cells += [spread(row["found"], "{:.3g}")]
        cells += [spread(row["columns"][key], form) for _, key, form in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = "; ".join(f"{case.name}: {case.meaning}" for case in CASES.values())
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["base"], metavar="CASE",
                        help=known.replace("%", "%%"))  # fmt: skip
    parser.add_argument("--every-case", action="store_true", help="all cases but the tiny ones")
    parser.add_argument("--doses", nargs="+", type=float, default=DOSES, help="electrons per pattern")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES[:-1])
    parser.add_argument("--redo", nargs="+", choices=RECIPES, default=[], help="measure these anew")
    parser.add_argument("--only-show", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "recovery.json")
    asked = parser.parse_args(words)
    if asked.every_case:
        asked.cases = list(USUAL)
    return asked


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 1 where a measurement failed."""
    asked = parse(words)
    book = Book(asked.out)
    if not asked.only_show:
        book.forget(asked.redo)
        measure(book, asked)
    table = rows(book, asked)
    print(show(table))
    trees = {
        book.runs[book.key(r["case"], r["dose"], s, r["recipe"])]["revision"]
        for r in table
        for s in r["seeds"]
    }
    if len(trees) > 1:
        print(f"\nMeasured on {len(trees)} revisions: {', '.join(sorted(trees))}")
    if book.failed:
        print(f"\n{len(book.failed)} failed, see {asked.out}")
    return 1 if book.failed else 0


if __name__ == "__main__":
    sys.exit(main())
