"""The laws of a step: every registered one is held to them, and third parties can hold theirs.

for kind in KINDS:
    for law in StepLaws.names():
        StepLaws(MyStep(...), example_scan(kind)).check(law)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import is_lazy, wrap
from unmixel.prepare.contract import Step, parameters
from unmixel.testing.laws import Laws, must

KINDS = ("images", "line", "floats", "weighted", "spectra")
"""Scans on which a step is tried; it may refuse spectra (InputError), nothing else."""


def example_scan(kind: str) -> Scan:
    """Return a small scan of counts with a direct beam (or a line spectrum), not square anywhere.

    Parameters
    ----------
    kind : {"images", "line", "floats", "weighted", "spectra"}
        Patterns over (5, 9) positions; over 24 positions of a line; as float32; with weights, some of them 0;
        spectra over (4, 7) positions.

    Examples
    --------
    >>> example_scan("line").data.shape
    (24, 31, 26)
    """
    rng = np.random.default_rng(5)
    if kind == "spectra":
        energy = np.arange(40)
        lines = 20 * np.exp(-((energy - 12.0) ** 2) / 8) + 8 * np.exp(-((energy - 27.0) ** 2) / 3) + 2
        return Scan.from_array(
            rng.poisson(lines, (4, 7, 40)).astype(np.uint16), scan_step=(1.5, "nm"), pattern_step=(10.0, "eV")
        )
    scan_shape = (24,) if kind == "line" else (5, 9)
    index = np.arange(int(np.prod(scan_shape))).reshape(scan_shape)
    # the beam wanders by 3 px over the scan, and a spot comes and goes
    shift = 3.0 * index / index.max() - 1.5
    v, u = np.mgrid[:31, :26]
    beam = _spot(v - 14.3 - shift[..., None, None], u - 11.8, 1.6)
    spot = _spot(v - 22.3 - shift[..., None, None], u - 17.8, 1.6) * (index % 3 == 0)[..., None, None]
    counts = rng.poisson(60 * beam + 25 * spot + 1.0)
    scan = Scan(
        data=counts.astype(np.float32 if kind == "floats" else np.uint16),
        scan_axes=tuple(
            Axis(name, n, 2.0, 1.0, "nm")
            for name, n in zip("yx"[-len(scan_shape) :], scan_shape, strict=True)
        ),
        pattern_axes=(Axis("v", 31, 0.03, -0.5, "1/angstrom"), Axis("u", 26, 0.03, -0.4, "1/angstrom")),
    )
    if kind != "weighted":
        return scan
    pixels = np.where(rng.random((31, 26)) < 0.02, 0.0, 1.0)
    positions = np.where(rng.random(scan_shape) < 0.1, 0.0, 1.0)
    return replace(scan, pixel_weights=pixels, position_weights=positions)


def _spot(v: NDArray[Any], u: NDArray[Any], sigma: float) -> NDArray[np.float64]:
    return np.asarray(np.exp(-(v**2 + u**2) / (2 * sigma**2)))


def example_step(kind: Callable[..., Step], scan: Scan) -> Step:
    """Return a step of a class to be tried on a scan: its ``example(scan)``, or its defaults."""
    made: Step = kind.example(scan) if hasattr(kind, "example") else kind()
    return made


@dataclass(frozen=True)
class StepLaws(Laws):
    """Laws that a step must keep on a scan.

    Parameters
    ----------
    step : Step
    scan : Scan
        In memory; the laws make lazy copies of it.

    Examples
    --------
    >>> from unmixel.prepare.crop import Crop
    >>> laws = StepLaws(Crop(), example_scan("images"))
    >>> [laws.check(law) for law in StepLaws.names()][0] is None
    True
    """

    step: Step
    scan: Scan

    def _applied(self, scan: Scan) -> Scan | None:
        """Return the scan after the step; None where it refuses spectra."""
        try:
            return self.step.apply(scan)
        except InputError as refusal:
            if not scan.is_spectrum or not refusal.hint:
                raise AssertionError(
                    f"{self.step} refuses patterns, or not saying what to do: {refusal}"
                ) from refusal
            return None

    def law_contract(self) -> None:
        """A frozen dataclass with a name and an apply."""
        must(isinstance(self.step, Step), f"{self.step} has no name or no apply")
        must(is_dataclass(self.step), f"{self.step} is no dataclass")
        for item in fields(self.step):  # type: ignore[arg-type]
            try:
                setattr(self.step, item.name, None)
            except FrozenInstanceError:
                continue
            must(False, f"{self.step} is not frozen")

    def law_record(self) -> None:
        """One record more, plain data only, with a sentence for the user."""
        after = self._applied(self.scan)
        if after is None:
            return
        must(len(after.history) == len(self.scan.history) + 1, "history must grow by one record")
        must(after.history[:-1] == self.scan.history, "history must be kept")
        record = after.history[-1]
        must(record.name == self.step.name, f"record of {record.name}, not {self.step.name}")
        must(record.parameters == parameters(self.step), f"parameters in the record: {record.parameters}")
        text = json.dumps([dict(record.parameters), dict(record.values)], allow_nan=False)
        must(json.loads(text) == [record.parameters, record.values], "record is not plain JSON data")
        must(
            len(record.effect) > 8 and record.effect.endswith("."), f"effect is no sentence: {record.effect}"
        )

    def law_recipe(self) -> None:
        """Parameters as plain data make the same step again."""
        plain = json.loads(json.dumps(parameters(self.step), allow_nan=False))
        again = type(self.step)(**plain)
        must(parameters(again) == parameters(self.step), f"{again} is not {self.step}")
        _same(self._applied(self.scan), self._with(again), "made again from its record")

    def _with(self, step: Step) -> Scan | None:
        return StepLaws(step, self.scan)._applied(self.scan)

    def law_untouched(self) -> None:
        """Input data, weights, axes and history stay as they were."""
        before = replace(self.scan, data=self.scan.data.copy(), extras=dict(self.scan.extras))
        weights = [
            None if w is None else w.copy() for w in (self.scan.pixel_weights, self.scan.position_weights)
        ]
        self._applied(self.scan)
        before = replace(before, pixel_weights=weights[0], position_weights=weights[1])
        _same(before, self.scan, "the input")

    def law_repeats(self) -> None:
        """The same again, to the last bit."""
        _same(self._applied(self.scan), self._applied(self.scan), "a second time")

    def law_lazy(self) -> None:
        """Lazy data stay lazy, and every chunk layout gives what memory gives."""
        eager = self._applied(self.scan)
        halves = tuple((n + 1) // 2 for n in self.scan.data.shape)
        for chunks in (halves, (2, *self.scan.data.shape[1:])):
            late = self._applied(replace(self.scan, data=wrap(self.scan.data, chunks)))
            if eager is None or late is None:
                must(eager is late, "refused in memory or lazily only")
                continue
            must(is_lazy(late.data), "lazy data were loaded")
            computed = np.asarray(late.data)
            must(late.data.dtype == computed.dtype, f"said {late.data.dtype}, gave {computed.dtype}")
            must(late.data.shape == computed.shape, f"said {late.data.shape}, gave {computed.shape}")
            _same(eager, replace(late, data=computed), f"with chunks {chunks}")

    def law_left_out(self) -> None:
        """Where data are not changed, nothing that was left out comes back."""
        after = self._applied(self.scan)
        if after is None or after.data is not self.scan.data:
            return
        for was, now in (
            (self.scan.pixel_weights, after.pixel_weights),
            (self.scan.position_weights, after.position_weights),
        ):
            must(
                was is None or (now is not None and not (now[was == 0] > 0).any()),
                "left-out pixels came back",
            )


def _same(one: Scan | None, other: Scan | None, when: str) -> None:
    """Raise AssertionError unless two scans agree; numbers to 1e-6 of their size."""
    if one is None or other is None:
        must(one is other, f"refused once only, {when}")
        return
    must(one.scan_axes == other.scan_axes and one.pattern_axes == other.pattern_axes, f"axes differ {when}")
    must(one.data.dtype == other.data.dtype, f"dtype {one.data.dtype} and {other.data.dtype} {when}")
    _close(np.asarray(one.data), np.asarray(other.data), f"data {when}")
    for name in ("pixel_weights", "position_weights"):
        mine, its = getattr(one, name), getattr(other, name)
        must((mine is None) == (its is None), f"{name} differ {when}")
        if mine is not None:
            _close(mine, its, f"{name} {when}")
    must(one.extras.keys() == other.extras.keys(), f"extras differ {when}")
    for name in one.extras:
        _close(one.extras[name], other.extras[name], f"extra {name} {when}")
    must(len(one.history) == len(other.history), f"history differs {when}")


def _close(one: NDArray[Any], other: NDArray[Any], what: str) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9, err_msg=what)
