"""One recipe alone on the scans of a suite, judged on the pixels of the recipe that it is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.lab.idea import Idea
from unmixel.lab.judge import Bench
from unmixel.lab.kinds import KINDS
from unmixel.lab.runner import WORKERS, Contest, Pair, Run, kept
from unmixel.lab.sandbox import Limits, end_all, workshop
from unmixel.lab.suites import Case, Suite
from unmixel.lab.trial import BASELINE, IDEA, Measured
from unmixel.lab.wall import write_scan

PIXELS = "pixels"
"""Folder in that of a trial: pixels on which all are judged."""


@dataclass(frozen=True)
class Alone:
    """Measures recipes one by one, in processes of their own, as `Contest` measures pairs.

    Parameters
    ----------
    suite : Suite
    carried : tuple of Idea
        Promoted ideas that the recipes name.
    limits : Limits
    """

    suite: Suite
    carried: tuple[Idea, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __call__(
        self, recipe: Mapping[str, Any], jobs: Sequence[tuple[str, int]], variant: str, folder: Path
    ) -> Iterator[Measured]:
        """Yield what a recipe comes to on cases with seeds, in their order.

        Parameters
        ----------
        recipe : mapping
            Whole.
        jobs : sequence of (case, seed)
        variant : str
            The baseline comes first: on its pixels the others are judged. Of baseline and idea, the results of
            the first seed are kept.
        folder : Path
            Of the trial.
        """
        cases = {case.name: case for case in self.suite.cases}
        keep = {job for job in jobs if job[1] == jobs[0][1]} if variant in (BASELINE, IDEA) else set()
        pool = ThreadPoolExecutor(WORKERS)
        try:
            running = [
                pool.submit(self._one, recipe, cases[job[0]], job[1], variant, folder, job in keep)
                for job in jobs
            ]
            for one in running:
                yield one.result()
        finally:
            end_all()
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(
        self, recipe: Mapping[str, Any], case: Case, seed: int, variant: str, folder: Path, keep: bool
    ) -> Measured:
        bench = Bench.of(*case.draw(seed), seed=seed)
        contest = Contest(
            self.suite, KINDS["constraint"], "", Idea("", ""), recipe, self.carried, self.limits
        )
        with workshop() as place:
            write_scan(place / "drawn.npz", bench.scan)
            run = contest.run(BASELINE, case, seed, bench, place)
        pixels = folder / PIXELS / f"{case.name}-{seed}.npy"
        if variant == BASELINE and run.answers:
            pixels.parent.mkdir(exist_ok=True)
            np.save(pixels, np.asarray(run.answers[0].factors.used_pixels, bool))
        judged = Pair(bench, _beside(run, pixels), run).measured(IDEA, case.name, seed)
        judged = replace(judged, variant=variant)
        return kept(judged, run, folder) if keep else judged


def _beside(run: Run, pixels: Path) -> Run:
    """Return the run as if it said something about the pixels of the baseline, where these are known."""
    if not run.answers or not pixels.is_file():
        return run
    answer = run.answers[0]
    return replace(
        run, answers=(replace(answer, factors=replace(answer.factors, used_pixels=np.load(pixels))),)
    )
