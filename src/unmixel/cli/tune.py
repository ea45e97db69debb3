"""``unmixel tune``: a search on the screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from unmixel.cli.output import err, out, print_json

if TYPE_CHECKING:
    from unmixel.lab.searching import Tuned


def tune(
    recipe: str, over: Sequence[str], *, trials: int, suite: str, seed: int, lab: str | None, as_json: bool
) -> None:
    """Search, and print what came of it."""
    from unmixel.lab.tune import tune as execute

    console = err()
    try:
        done = execute(
            recipe,
            over,
            suite=suite,
            n_settings=trials,
            seed=seed,
            tell=lambda text: console.print(text, markup=False),
        )
    except KeyboardInterrupt as stop:
        stop.add_note("Every measurement is kept; the same command goes on from there.")
        raise
    if as_json:
        print_json(_plain(done))
        return
    _print(done)


def _plain(done: Tuned) -> dict[str, object]:
    verdict = {
        "word": done.verdict.word,
        "sentence": done.verdict.sentence,
        "comparisons": [vars(one) for one in done.verdict.comparisons],
    }
    return {**vars(done), "verdict": verdict}


def _print(done: Tuned) -> None:
    from unmixel.lab.table import text

    console = out()
    counts = f"{done.n_tried} settings tried, {done.n_pruned} given up early, {done.n_failed} failed."
    values = ", ".join(f"{key}={value}" for key, value in done.values.items())
    console.print(
        f"{counts}\nBest in the search: {values} ({done.promised:+.4g} better there).", markup=False
    )
    console.print("On seeds that the search never saw, beside the recipe as it was given:\n", markup=False)
    console.print(text(done.verdict), markup=False)
    console.print(f"\n{done.verdict.sentence}\nTrial: {done.id}", markup=False)
    sys.stdout.flush()
