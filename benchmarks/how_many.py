"""Is the recommended number of components right?  Phantoms of 4, 12 and 21 components, the recipe for a glass.

    python benchmarks/how_many.py --seeds 1 2 3

Right is what the physics oracle can find: the crystals of `demo:glass` that counts hold, and the glass. A
recommendation is asked to be within 10 % of that, and never above what the noise edge allows
(docs/decisions/0009-how-many-components.md).
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from recovery_cases import CASES, Case
from recovery_once import Phantom
from recovery_recipes import GLASS

ASKED = 0.1


@dataclass(frozen=True)
class Answer:
    """What was recommended for one phantom.

    Parameters
    ----------
    recommended, above : int
        The number, and how many components stand above the edge of the noise, the glass included.
    right : int
        Crystals that the physics oracle finds, and the glass.
    edge, weakest : float
        What noise reaches in one scan in a hundred, and what the weakest component that counts has.
    """

    recommended: int
    above: int
    right: int
    edge: float
    weakest: float

    @property
    def good(self) -> bool:
        """Whether it is near enough to what is there, and allowed."""
        near = abs(self.recommended - self.right) <= ASKED * self.right
        return near and self.recommended <= self.above


def asked(base: Case, crystals: int, dose: float, seed: int, ranks: Sequence[int]) -> Answer:
    """Return what is recommended for a phantom of so many crystals."""
    from unmixel.pipeline.rank import rank
    from unmixel.testing.oracle import physics_oracle

    phantom = Phantom.of(replace(base, keys={**base.keys, "precipitates": str(crystals)}), dose, seed)
    choice = rank(phantom.task().scan, GLASS, ranks=ranks, restarts=1)
    left = choice.components
    if left is None:
        raise SystemExit("The recipe has no refinements: nothing to judge.")
    counted = left.values[left.values > left.edge]
    data, used = phantom.centred()
    right = physics_oracle(data, phantom.truth, used_pixels=used).found + 1
    weakest = float(min(counted, default=float("nan")))
    return Answer(choice.n_components, left.n_above, right, left.edge, weakest)


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", choices=CASES, default="base", help="what else is so about the phantoms")
    parser.add_argument("--crystals", nargs="+", type=int, default=[3, 11, 20])
    parser.add_argument("--doses", nargs="+", type=float, default=[1e4, 4e4], help="electrons per pattern")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--ranks", nargs="+", type=int, default=[10, 40], help="for the other evidence")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print a line for each phantom and one for all, and return 1 where one answer is not good."""
    wanted = parse(words)
    answers = []
    print("| crystals | electrons | seed | recommended | right | noise edge | weakest |")
    print("|---|---|---|---|---|---|---|")
    for crystals in wanted.crystals:
        for dose in wanted.doses:
            for seed in wanted.seeds:
                one = asked(CASES[wanted.case], crystals, dose, seed, wanted.ranks)
                answers.append(one)
                print(
                    f"| {crystals} | {dose:,.0f} | {seed} | {one.recommended} | {one.right} | {one.edge:.2f} "
                    f"| {one.weakest:.1f} |",
                    flush=True,
                )
    off = statistics.median(abs(one.recommended / one.right - 1) for one in answers)
    good = sum(one.good for one in answers)
    print(
        f"\n{good} of {len(answers)} within {ASKED:.0%} and not above the noise edge; median off by {off:.1%}"
    )
    return 0 if good == len(answers) else 1


if __name__ == "__main__":
    sys.exit(main())
