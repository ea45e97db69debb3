"""Does the theory behind `unmixel plan` hold? Predicted against observed shares of found precipitates.

    python benchmarks/planning.py --calibrate --seeds 101 102 103     # fit the calibration, on these seeds alone
    python benchmarks/planning.py --seeds 1 2 3 4 5 6                 # judge it, on others

Every simulated scan is written to the JSON file at once; what is there is not simulated again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from inputs import ROOT
from scipy.special import ndtr

DOSES = (300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)
DIAMETERS = (4.0, 6.0, 9.0)
STRUCTURES = ("CuZr", "CuZr2", "ZrO2")
DRAWN = np.geomspace(150, 60_000, 60)
LOOK = (("#56b4e9", "o"), ("#d55e00", "s"), ("#1f2933", "^"))
SETUPS = {
    "yardstick": {"probe_nm": 1.884, "spot_px": 2.2, "spots": "gaussian", "pixel": 0.0219},
    "disk": {"probe_nm": 1.2, "spot_px": 1.6, "spots": "disk", "pixel": 0.0219},
}


def cells(asked: argparse.Namespace) -> Iterator[tuple[str, str, float, float, int]]:
    """Yield what is to be simulated."""
    for seed in asked.seeds:
        for setup in asked.setups:
            for orientations in asked.orientations:
                for diameter in asked.diameters:
                    for dose in asked.doses:
                        yield setup, orientations, diameter, dose, seed


def sample_of(orientations: str, diameter: float) -> Any:
    """Return crystals of three structures in 70 nm of glass."""
    from unmixel.dataset.planning import Sample

    return Sample(STRUCTURES, diameter, orientations=orientations)


def setup_of(name: str) -> Any:
    """Return one of the microscopes."""
    from unmixel.dataset.planning import Setup

    return Setup(**SETUPS[name])


def simulate(book: dict[str, Any], asked: argparse.Namespace) -> None:
    """Simulate what the book does not hold."""
    from unmixel.lab.planning_simulation import simulate as once

    for setup, orientations, diameter, dose, seed in cells(asked):
        key = f"{setup}|{orientations}|{diameter:g}|{dose:g}|{seed}"
        if key in book:
            continue
        begun = time.process_time()
        done = once(sample_of(orientations, diameter), setup_of(setup), dose=dose, seed=seed)
        book[key] = asdict(done) | {"cpu_s": time.process_time() - begun}
        print(
            f"{key}: {done.found} of {len(done.cosine)}, {book[key]['cpu_s']:.1f} s",
            file=sys.stderr,
            flush=True,
        )
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        draft = asked.out.with_suffix(".part")
        draft.write_text(json.dumps(book, indent=1), encoding="utf-8")
        draft.replace(asked.out)


def counted(
    book: dict[str, Any], asked: argparse.Namespace
) -> dict[tuple[str, str, float, float], tuple[int, int]]:
    """Return how many were found of how many, by setup, orientations, diameter and dose, over the seeds asked for."""
    sums: dict[tuple[str, str, float, float], tuple[int, int]] = {}
    for setup, orientations, diameter, dose, seed in cells(asked):
        one = book.get(f"{setup}|{orientations}|{diameter:g}|{dose:g}|{seed}")
        if one is None:
            continue
        good = sum(min(pair) >= 0.8 for pair in zip(one["cosine"], one["pearson"], strict=True))
        found, n = sums.get((setup, orientations, diameter, dose), (0, 0))
        sums[setup, orientations, diameter, dose] = found + good, n + len(one["cosine"])
    return sums


def forecasts(
    sums: dict[tuple[str, str, float, float], tuple[int, int]],
) -> dict[tuple[str, str, float], Any]:
    """Return the forecast of each setup, orientations and diameter."""
    from unmixel.lab.planning_forecast import forecast

    return {
        key: forecast(sample_of(key[1], key[2]), setup_of(key[0]))
        for key in dict.fromkeys(k[:3] for k in sums)
    }


def calibrate(book: dict[str, Any], asked: argparse.Namespace) -> None:
    """Print the excess, spread and lapse that make what was found most likely, crystal by crystal."""
    from scipy.optimize import minimize

    margin, good = crystals(book, asked)

    def unlikely(values: Sequence[float]) -> float:
        share = np.clip(
            ndtr((np.log(margin) - values[0]) / math.exp(values[1])) / (1 + math.exp(-values[2])),
            1e-6,
            1 - 1e-6,
        )
        return float(-np.sum(np.where(good, np.log(share), np.log1p(-share))))

    best = minimize(unlikely, [0.7, -1.5, 4.0], method="Nelder-Mead")
    excess, spread, lapse = math.exp(best.x[0]), math.exp(best.x[1]), 1 / (1 + math.exp(best.x[2]))
    fitted = f"excess {excess:.3f}, spread {spread:.3f}, lapse {lapse:.4f}"
    print(f"{margin.size} crystals: {fitted}, {-best.fun:.1f} ln likelihood")
    for low, high in pairwise((0, 1, 1.4, 1.6, 1.8, 2.0, 2.2, 2.5, 3, 4, 8, math.inf)):
        own = good[(margin >= low) & (margin < high)]
        if own.size:
            print(f"  strength over the edge {low:g} to {high:g}: {int(own.sum())} of {own.size}")


def crystals(book: dict[str, Any], asked: argparse.Namespace) -> tuple[Any, Any]:
    """Return the strength of every simulated crystal over the edge, and whether it was found."""
    from dataclasses import replace

    from unmixel.lab.planning_forecast import SHIPPED, margins
    from unmixel.lab.planning_simulation import layout

    plain = replace(SHIPPED, excess=1.0)
    margin, good = [], []
    for setup, orientations, diameter, dose, seed in cells(asked):
        one = book.get(f"{setup}|{orientations}|{diameter:g}|{dose:g}|{seed}")
        if one is None:
            continue
        sample, made = sample_of(orientations, diameter), setup_of(setup)
        side, n = layout(sample, made)
        keys = {"scan": (side, side), "precipitates": n, "dose": dose, "seed": seed}
        margin += margins(sample, made, calibration=plain, **keys).tolist()
        good += [min(pair) >= 0.8 for pair in zip(one["cosine"], one["pearson"], strict=True)]
    return np.maximum(margin, 1e-9), np.array(good)


def rows(book: dict[str, Any], asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return predicted beside observed shares."""
    from unmixel.lab.planning_simulation import wilson

    sums = counted(book, asked)
    known = forecasts(sums)
    table = []
    for (setup, orientations, diameter, dose), (found, n) in sums.items():
        one = known[setup, orientations, diameter]
        low, high = one.band(dose)
        least, most = wilson(found, n)
        table.append(
            {
                "setup": setup, "orientations": orientations, "diameter_nm": diameter, "dose": dose,
                "found": found, "n": n, "predicted": one.probability(dose), "low": low, "high": high,
                "observed": found / n, "observed_low": least, "observed_high": most,
                "agrees": least <= high and most >= low,
            }
        )  # fmt: skip
    return table


def show(table: Sequence[dict[str, Any]]) -> str:
    """Return the table as Markdown."""
    lines = [
        "| scan | orientation | diameter | electrons | predicted (stated error) | observed | found | agrees |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['setup']} | {r['orientations']} | {r['diameter_nm']:g} nm | {r['dose']:,.0f} "
        f"| {r['predicted']:.2f} ({r['low']:.2f} to {r['high']:.2f}) | {r['observed']:.2f} | {r['found']} of {r['n']} "
        f"| {'yes' if r['agrees'] else 'no'} |"
        for r in table
    ]
    return "\n".join(lines)


def draw(table: Sequence[dict[str, Any]], file: Path) -> None:
    """Write a figure: lines with their stated error predicted, points with their 95 % interval observed."""
    from unmixel.lab.planning_forecast import forecast
    from unmixel.report.canvas import TEXT_PT, box, label_axes, open_frame, png, sheet, write

    kinds = list(dict.fromkeys((row["setup"], row["orientations"]) for row in table))
    figure = sheet(0.8 + 4.4 * len(kinds), 3.4)
    for place, (setup, orientations) in enumerate(kinds):
        left = 0.62 + 4.4 * place
        axes = box(figure, left, 0.6, 3.95, 2.3)
        where = "on zone axes" if orientations == "zone" else "in random orientation"
        write(figure, left, 0.1, f"Crystals {where} ({setup})", fontsize=TEXT_PT + 1, fontweight="bold")
        write(figure, left, 0.32, "lines: predicted, with stated error; points: found, with 95 % interval")
        open_frame(axes)
        axes.set(xscale="log", ylim=(-0.04, 1.05))
        label_axes(axes, "electrons per pattern, direct beam included", "share that is found")
        for order, diameter in enumerate(DIAMETERS):
            kind = (setup, orientations, diameter)
            own = [r for r in table if (r["setup"], r["orientations"], r["diameter_nm"]) == kind]
            if own:
                curve = forecast(sample_of(orientations, diameter), setup_of(setup)).curve(diameter, DRAWN)
                _size(axes, curve, own, order)
        axes.legend(fontsize=TEXT_PT, frameon=False, loc="center left", bbox_to_anchor=(0.0, 0.72))
    file.write_bytes(png(figure))


def _size(axes: Any, curve: Any, own: Sequence[dict[str, Any]], order: int) -> None:
    """Draw one size: its line, its band and its points, a little beside those of the others."""
    colour, marker = LOOK[order]
    axes.plot(curve.doses, curve.probability, color=colour, linewidth=1.2)
    axes.fill_between(curve.doses, curve.low, curve.high, color=colour, alpha=0.18, lw=0)
    seen = np.array([row["observed"] for row in own])
    ends = np.array([[row[end] for row in own] for end in ("observed_low", "observed_high")])
    beside = np.array([row["dose"] for row in own]) * 1.06 ** (order - 1)
    axes.errorbar(
        beside, seen, yerr=np.abs(ends - seen), fmt=marker, color=colour, markersize=4.5, linewidth=1.0,
        capsize=2, label=f"{curve.diameter_nm:g} nm",
    )  # fmt: skip


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--setups", nargs="+", choices=SETUPS, default=["yardstick"])
    parser.add_argument("--orientations", nargs="+", choices=("zone", "random"), default=["zone"])
    parser.add_argument("--diameters", nargs="+", type=float, default=DIAMETERS)
    parser.add_argument("--doses", nargs="+", type=float, default=DOSES)
    parser.add_argument("--calibrate", action="store_true", help="fit the calibration instead of judging it")
    parser.add_argument("--only-show", action="store_true", help="simulate nothing")
    parser.add_argument("--figure", type=Path, help="write predicted against observed there (.png)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "planning.json")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Simulate, then print the calibration or the table."""
    asked = parse(words)
    book = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else {}
    if not asked.only_show:
        simulate(book, asked)
    if asked.calibrate:
        calibrate(book, asked)
        return 0
    table = rows(book, asked)
    print(show(table))
    if asked.figure:
        draw(table, asked.figure)
    agree, found = sum(row["agrees"] for row in table), sum(row["found"] for row in table)
    wanted = [sum(row["n"] * row[end] for row in table) for end in ("predicted", "low", "high")]
    print(
        f"\n{agree} of {len(table)} agree within the stated error and the 95 % interval of what was observed."
    )
    print(f"Found in all: {found}; predicted {wanted[0]:.1f} ({wanted[1]:.1f} to {wanted[2]:.1f}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
