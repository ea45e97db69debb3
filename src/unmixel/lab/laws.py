"""An idea held to the laws of its kind; run in the idea's own process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from unmixel.core.errors import InputError
from unmixel.lab.idea import Loaded
from unmixel.lab.words import differs, explained
from unmixel.testing.laws import Laws

FIRST = ("is_a_frozen_plug_in", "contract", "finite", "keeps_input_dtype_and_shape", "feasible", "shapes")
"""Laws whose break explains that of others: told first."""


@dataclass(frozen=True)
class Broken:
    """A law that an idea breaks.

    Parameters
    ----------
    law : str
        Its name.
    means : str
        What it says.
    case : str
        What it was tried on.
    why : str
        What differs, or what was raised and on which line.
    """

    law: str
    means: str
    case: str
    why: str


def broken_laws(loaded: Loaded) -> tuple[Broken, ...]:
    """Return every law that an idea breaks, those that explain others first.

    Parameters
    ----------
    loaded : Loaded
        Registered under its name.
    """
    found: dict[str, Broken] = {}
    for laws, case in _suites(loaded):
        for law in laws.names():
            if law in found:
                continue
            try:
                laws.check(law)
            except MemoryError:
                raise  # nothing that follows would tell more
            except AssertionError as error:
                why = differs(error)
            except Exception as error:  # noqa: BLE001 - whatever the user's code raises is told
                why = explained(error, {loaded.idea.file})
            else:
                continue
            found[law] = Broken(law, _meaning(laws, law), case, why)
    return tuple(
        sorted(found.values(), key=lambda one: FIRST.index(one.law) if one.law in FIRST else len(FIRST))
    )


def n_laws(loaded: Loaded) -> int:
    """Return how many laws an idea is held to, each counted once."""
    return len({law for laws, _ in _suites(loaded) for law in laws.names()})


def _meaning(laws: Laws, law: str) -> str:
    """Return the first sentence of a law's own words."""
    text = (getattr(type(laws), f"law_{law}").__doc__ or law.replace("_", " ")).strip().splitlines()[0]
    return text.rstrip(".")


def _suites(loaded: Loaded) -> Iterator[tuple[Laws, str]]:
    """Yield suites of laws and what each tries the idea on."""
    match loaded.kind.name:
        case "constraint":
            yield from _constraint(loaded)
        case "step":
            from unmixel.testing.steps import KINDS, StepLaws, example_scan

            for kind in KINDS:
                scan = example_scan(kind)
                step = loaded.plugin.example(scan) if _has_example(loaded) else loaded.build()
                yield StepLaws(step, scan), f"a scan of {kind}"
        case "start":
            from unmixel.testing.starts import StartLaws, example_start

            start = example_start(loaded.plugin) if _has_example(loaded) else loaded.build()
            yield StartLaws(start), "a problem of 6 x 7 positions and 5 x 8 pixels"
        case name:
            yield _single(name, loaded.build()), _CASES[name]


_CASES = {
    "loss": "a table of counts, 30 x 20",
    "solver": "a problem of 7 x 9 positions and 6 x 8 pixels",
    "refinement": "four components on 13 x 17 positions",
    "clusterer": "three lattices, each in two rotations, and two halos",
    "identifier": "groups of three lattices and two halos",
    "score": "three components on 13 x 17 positions",
}


def _single(name: str, made: Any) -> Laws:
    """Return the suite of a kind that is tried on one example."""
    match name:
        case "loss":
            from unmixel.testing.losses import LossLaws

            return LossLaws(made)
        case "solver":
            from unmixel.testing.solvers import SolverLaws

            return SolverLaws(made)
        case "refinement":
            from unmixel.testing.refinements import RefinementLaws

            return RefinementLaws(made)
        case "clusterer":
            from unmixel.testing.clusterers import ClustererLaws

            return ClustererLaws(made)
        case "identifier":
            from unmixel.testing.identifiers import IdentifierLaws

            return IdentifierLaws(made)
        case _:
            from unmixel.testing.scores import ScoreLaws

            return ScoreLaws(made)


def _has_example(loaded: Loaded) -> bool:
    return hasattr(loaded.plugin, "example") and not loaded.idea.parameters


def _constraint(loaded: Loaded) -> Iterator[tuple[Laws, str]]:
    """Yield the laws of a constraint on an image and, where it can be bound to one, on a line."""
    from unmixel.dataset.matrix import Grid
    from unmixel.engines.numpy_engine import NumpyEngine
    from unmixel.testing.constraints import ConstraintLaws, context

    if not hasattr(loaded.plugin, "example"):  # defaults are an example
        loaded.plugin.example = classmethod(lambda cls, grid: cls())
    for words, shape in (("an image of 13 x 29", (13, 29)), ("a line of 31", (31,))):
        grid = Grid(shape, (1.0,) * len(shape))
        made = loaded.plugin.example(grid) if _has_example(loaded) else loaded.build()
        try:
            made.bind(context(grid, NumpyEngine(), "float64"))
        except InputError:
            if len(shape) == 1:
                continue  # it says that it is for images
        yield ConstraintLaws(made, grid), words
