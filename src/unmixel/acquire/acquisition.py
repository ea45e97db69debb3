"""An acquisition in nouns: what a user decides of it, how it stands, what came of it, and who hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from unmixel.acquire.receiver import Receiver
from unmixel.acquire.watch import Watch
from unmixel.core.errors import InputError
from unmixel.dataset.result import Result
from unmixel.dataset.results import Factors
from unmixel.pipeline.progress import Progress, Silent
from unmixel.pipeline.recipe import Recipe

RECORD, RUN, PREVIEW, IMAGES = "scan.zarr", "run", "live.png", "images.npz"
"""What is in the folder of an acquisition: the record, the run folder of its result, the last preview, the images."""


class Spectator(Progress, Protocol):
    """Hears of frames, too."""

    def seen(self, status: Status) -> None:
        """Hear how the acquisition stands, a few times a second."""
        ...


class Unseen(Silent):
    """Tells nobody."""

    def seen(self, status: Status) -> None:
        """Ignore it."""


@dataclass(frozen=True)
class Live:
    """What a user decides of an acquisition.

    Parameters
    ----------
    scan_shape : tuple of int, optional
        (rows, columns) where the detector does not say or says it wrongly.
    recipe : Recipe, mapping, path or None
        As in `unmixel.run`.
    overrides : tuple of str
        ``key=value``; they go before the recipe.
    refresh_s : float, >= 0
        Seconds between refreshes of the factors, at least; 0 leaves out all but the last.
    timeout_s : float, > 0
        Seconds of silence between frames after which the stream counts as broken.

    Raises
    ------
    InputError
        When a number is out of range.
    """

    scan_shape: tuple[int, ...] | None = None
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None
    overrides: tuple[str, ...] = ()
    refresh_s: float = 5.0
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if not (0 <= self.refresh_s < float("inf") and 0 < self.timeout_s < float("inf")):
            raise InputError(
                "--refresh, --timeout",
                expected="seconds >= 0 and > 0",
                got=f"{self.refresh_s:g} and {self.timeout_s:g}",
                hint="leave them out for 5 s and 30 s",
            )


@dataclass(frozen=True)
class Status:
    """How an acquisition stands.

    Parameters
    ----------
    n_frames, n_planned : int
        Kept so far, and expected.
    rate : float
        Frames a second.
    full : float
        Share of the room for frames that wait for the live view.
    n_later : int
        Frames that are recorded and not yet seen.
    n_refreshes : int
    refresh_s : float
        What the last refresh took.
    strengths : tuple of float
        Shares of the counts of the components as they stand.
    """

    n_frames: int
    n_planned: int
    rate: float
    full: float
    n_later: int
    n_refreshes: int
    refresh_s: float
    strengths: tuple[float, ...] = ()

    @classmethod
    def of(cls, receiver: Receiver, watch: Watch) -> Status:
        """Return how things stand now."""
        factors = watch.factors
        found = None if factors is None else factors.factors
        return cls(
            n_frames=receiver.n_frames,
            n_planned=watch.skeleton.n_positions,
            rate=receiver.rate,
            full=receiver.full,
            n_later=receiver.n_later,
            n_refreshes=0 if factors is None else factors.n_refreshes,
            refresh_s=0.0 if factors is None else factors.latency_s,
            strengths=() if found is None else tuple(map(float, found.strengths)),
        )


@dataclass(frozen=True, eq=False)
class Acquisition:
    """A scan that was acquired.

    Parameters
    ----------
    folder : Path
        Holds the record ``scan.zarr``, ``live.png`` and ``images.npz``, and the run folder ``run`` in the end.
    n_frames, n_planned : int
        Kept, and expected.
    status : Status or None
        As it stood at the last frame; None where nobody watched.
    factors : Factors or None
        As the sketch of all frames gives them.
    stopped : str
        Why the stream ended before its time; empty where it did not.
    notes : tuple of str
        What was lost, came twice or came beyond the scan.
    seconds : dict of str to float
        ``stream`` (first to last frame), and after the last frame ``record`` (it has its name), ``factors`` (refreshed
        with all frames) and ``result``.
    result : Result or None
        Of the record, as `unmixel.run` gives it.
    """

    folder: Path
    n_frames: int
    n_planned: int
    status: Status | None = None
    factors: Factors | None = None
    stopped: str = ""
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    result: Result | None = None

    @property
    def record(self) -> Path:
        """The recorded scan."""
        return self.folder / RECORD
