"""Every registered step keeps the laws, on patterns, lines, floats, weights and spectra."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.dataset.record import StepRecord
from unmixel.dataset.scan import Scan
from unmixel.testing.steps import KINDS, StepLaws, example_scan, example_step

OTHER_SETTINGS = {
    "background": [{"level": 1}, {"level": "minimum"}],
    "bin": [{"pattern": 3}],
    "center": [{"origin": [14.0, 12.0]}, {"method": "symmetry"}],
    "crop": [{"scan": None, "pattern": None}],
    "descan": [{"how": "bilinear"}, {"least_px": 50.0}],
    "mask_beam": [{"radius": 0.1, "unit": "1/angstrom"}],
    "mask_rim": [{"margin_px": 2}],
    "measure_beam": [{"source": "vacuum"}],
    "poisson_weights": [{"positions": True, "gain": 2.0}],
    "repair": [{"pixels": [[3, 4], [30, 25]]}, {"pixels": [[3, 4]], "how": "leave_out"}],
}


def steps(name: str, scan: Scan):
    """The example of a step; with weights, its other settings too."""
    kind = registry.load("steps", name)
    others = OTHER_SETTINGS.get(name, ()) if scan.pixel_weights is not None else ()
    return [example_step(kind, scan), *(kind(**settings) for settings in others)]


@pytest.mark.parametrize("law", StepLaws.names())
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", registry.names("steps"))
def test_step_keeps_the_law(name: str, kind: str, law: str) -> None:
    scan = example_scan(kind)
    for step in steps(name, scan):
        StepLaws(step, scan).check(law)


@pytest.mark.parametrize("name", ["center", "descan", "mask_beam", "measure_beam", "repair"])
def test_steps_for_patterns_refuse_spectra(name: str) -> None:
    with pytest.raises(InputError, match="leave this step out for spectra"):
        registry.load("steps", name)().apply(example_scan("spectra"))


@pytest.mark.parametrize("name", ["background", "bin", "crop", "mask_image", "mask_rim", "poisson_weights"])
def test_steps_for_all_data_take_spectra(name: str) -> None:
    scan = example_scan("spectra")
    assert len(example_step(registry.load("steps", name), scan).apply(scan).history) == 1


@dataclass(frozen=True)
class Good:
    """A step to be spoiled."""

    name: ClassVar[str] = "good"

    def apply(self, scan: Scan) -> Scan:
        return scan.after(StepRecord("good", {}, "did nothing at all."))


class Loads(Good):
    def apply(self, scan):
        return replace(super().apply(scan), data=np.asarray(scan.data))


class Forgets(Good):
    def apply(self, scan):
        return scan


class Mumbles(Good):
    def apply(self, scan):
        return scan.after(StepRecord("good", {}, ""))


class Spoils(Good):
    def apply(self, scan):
        if isinstance(scan.data, np.ndarray):
            scan.data[...] = 0
        return super().apply(scan)


class Revives(Good):
    def apply(self, scan):
        return replace(super().apply(scan), pixel_weights=np.ones(scan.pattern_shape))


class Drifts(Good):
    calls: ClassVar[list[int]] = []

    def apply(self, scan):
        self.calls.append(1)
        return replace(super().apply(scan), extras={"n": np.array(len(self.calls))})


class Refuses(Good):
    def apply(self, scan):
        raise InputError("step", expected="nothing", got="a scan")


@dataclass
class Thaws:
    """Not frozen."""

    size: int = 1
    name: ClassVar[str] = "thaws"
    apply = Good.apply


@dataclass(frozen=True)
class Hides:
    """A parameter that no recipe can hold."""

    image: object = None
    name: ClassVar[str] = "hides"
    apply = Good.apply

    def __post_init__(self):
        object.__setattr__(self, "image", np.zeros(5000))


@pytest.mark.parametrize(
    ("step", "law"),
    [
        (Loads(), "lazy"),
        (Forgets(), "record"),
        (Mumbles(), "record"),
        (Spoils(), "untouched"),
        (Revives(), "left_out"),
        (Drifts(), "repeats"),
        (Refuses(), "record"),
        (Thaws(), "contract"),
        (Hides(), "record"),
    ],
)
def test_a_broken_step_is_caught(step, law: str) -> None:
    StepLaws(Good(), example_scan("weighted")).check(law)
    with pytest.raises(AssertionError):
        StepLaws(step, example_scan("weighted")).check(law)
