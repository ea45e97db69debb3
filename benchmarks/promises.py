"""What a user gets for the time of one fit: a whole sweep, the physics, a whole recipe, the best of several starts.

    python benchmarks/promises.py --runs 5 --out bench-results/promises.json
    python benchmarks/promises.py --only physics --runs 3 --size medium

    sweep     145 fits (ranks 2 to 30, 5 restarts) beside one fit of scikit-learn with 30 components
    physics   a fit with `Resolution`, `SpotShape` and `Sparse` beside the same fit without
    recipe    the recipe for a glass, with its choice of what is there and its consensus, beside one fit of scikit-learn
    starts    one fit of unmixel beside the best of three of scikit-learn: ratio of the objectives less 1

Both sides of a pair are processes of their own, made in turn on the same bytes. Ratios are formed within pairs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from child import ChildFailedError, run
from inputs import SIZES
from pairs import QUIET, machine
from pairs import write as save

ONCE = Path(__file__).with_name("promises_once.py")
TABLES = ("glass", "planted", "spectra", "mgo")
Record = dict[str, Any]


def job(name: str, *words: str) -> Record:
    """Return the record of one job in a process of its own."""
    said, cost = run([sys.executable, str(ONCE), name, *words])
    return {**json.loads(said.splitlines()[-1]), "others": cost.others, "peak_mb": cost.peak_mb}


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Parameters
    ----------
    name, limit : str
        What is compared, and what was promised.
    records : tuple of (dict, dict)
        Of every pair: reference, ours.
    ratio : callable (reference, ours) -> float
    """

    name: str
    limit: str
    records: tuple[tuple[Record, Record], ...]
    ratio: Callable[[Record, Record], float]

    @property
    def ratios(self) -> list[float]:
        """Of every pair."""
        return [self.ratio(*pair) for pair in self.records]

    def text(self) -> str:
        """Return the line: medians, and in brackets the least and the most."""
        values = self.ratios
        spread = f"{statistics.median(values):9.4g} [{min(values):.4g}, {max(values):.4g}]"
        seconds = [statistics.median(pair[i]["wall_s"] for pair in self.records) for i in (0, 1)]
        return f"{self.name:18} | {seconds[0]:10.2f} | {seconds[1]:8.2f} | {spread:>30} | {self.limit}"


def time_ratio(reference: Record, ours: Record) -> float:
    """Return the time of ours over that of the reference."""
    return float(ours["wall_s"] / reference["wall_s"])


def excess(reference: Record, ours: Record) -> float:
    """Return by how much our objective, half the squared error, is above the reference's."""
    return float((ours["error"] / reference["error"]) ** 2 - 1)


def lines(asked: argparse.Namespace) -> list[Line]:
    """Measure all that is asked for."""
    made, size = [], SIZES[asked.size]

    def pairs(words: Sequence[str], reference: str, ours: str) -> tuple[tuple[Record, Record], ...]:
        found = []
        for number in range(asked.runs):
            found.append((job(reference, *words), job(ours, *words)))
            told = ", ".join(f"{one['job']} {one['wall_s']:.2f} s" for one in found[-1])
            print(f"{' '.join(words)}, run {number + 1}: {told}", file=sys.stderr, flush=True)
        return tuple(found)

    with tempfile.TemporaryDirectory(prefix="unmixel-bench-") as folder:
        if {"sweep", "physics", "recipe"} & set(asked.only):
            file = Path(folder) / "counts.npy"
            job("write", str(file), "glass", asked.size)
            words = (str(file), "glass", str(size.k))
            if "physics" in asked.only:
                made.append(Line("physics", "<= 3", pairs(words, "free", "physics"), time_ratio))
            if "sweep" in asked.only:
                made.append(Line("sweep", "<= 1", pairs(words, "scikit-learn", "sweep"), time_ratio))
            if "recipe" in asked.only:
                made.append(Line("recipe", "<= 1", pairs(words, "scikit-learn", "recipe"), time_ratio))
        for table in asked.tables if "starts" in asked.only else ():
            file = Path(folder) / f"{table}.npy"
            if not job("write", str(file), table, asked.starts_size)["written"]:
                print(f"starts, {table}: the scan is not on this machine", file=sys.stderr)
                continue
            k = SIZES["mgo" if table == "mgo" else asked.starts_size].k
            words = (str(file), table, str(k))
            best = job("best-of-three", *words)
            found = tuple((best, job("ours", *words, str(seed))) for seed in range(asked.runs))
            made.append(Line(f"starts, {table}", "<= 0.001", found, excess))
    return made


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("sweep", "physics", "recipe", "starts")
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    sizes = [name for name in SIZES if name != "mgo"]
    parser.add_argument("--size", choices=sizes, default="large", help="of sweep, physics and recipe")
    parser.add_argument("--starts-size", choices=sizes, default="medium", help="of the tables of starts")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--runs", type=int, default=1, help="pairs; of starts: seeds of ours")
    parser.add_argument("--out", type=Path, help="JSON file")
    asked = parser.parse_args(words)
    if asked.runs < 1:
        parser.error("--runs: expected at least 1")
    return asked


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a job failed."""
    asked = parse(words)
    try:
        made = lines(asked)
    except ChildFailedError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'':18} | {'reference s':>10} | {'ours s':>8} | {'ratio, median [least, most]':>30} | promised")
    print("\n".join(line.text() for line in made))
    busiest = max((one["others"] or 0.0) for line in made for pair in line.records for one in pair)
    if busiest > QUIET:
        print(f"not a quiet machine: other work took up to {busiest:.1f} cores")
    if asked.out:
        rows = [{"name": x.name, "limit": x.limit, "ratios": x.ratios, "pairs": x.records} for x in made]
        save(asked.out, {"machine": machine(), "size": asked.size, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
