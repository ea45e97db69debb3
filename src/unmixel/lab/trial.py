"""The nouns of the loop: one measurement, and the trial of an idea that many of them make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

BASELINE, IDEA = "baseline", "idea"
"""The two variants that are paired: the current best recipe, and the same with the idea in it."""

State = Literal["running", "finished", "failed", "killed"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Measured:
    """One variant on one scan with one seed.

    Parameters
    ----------
    case : str
        Name of the scan in its suite.
    seed : int
        Pairs are formed over equal case and seed.
    variant : str
        ``"baseline"``, ``"idea"``, or a name of the user's.
    metrics : mapping of str to float
        Values by the names of `unmixel.lab.metrics`; what could not be formed is left out.
    seconds : float
        Wall time of the recipe alone.
    peak_bytes : int
        Largest resident memory of its process.
    failed : str
        Why there is no value, in words; empty where there is one.
    result : str
        Place of the result bundle, relative to the trial's folder; empty where none was kept.
    """

    case: str
    seed: int
    variant: str
    metrics: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    seconds: float = float("nan")
    peak_bytes: int = 0
    failed: str = ""
    result: str = ""


@dataclass(frozen=True)
class Trial:
    """An idea, what it was tried on, and what came out.

    Parameters
    ----------
    id : str
        Sorts by time: ``20261130T101502-resolution-3f2a9c``.
    kind : str
        ``"try"``, ``"tune"`` or ``"run"``.
    name : str
        Of the idea or of the recipe.
    created : str
        ISO 8601 in UTC.
    state : str
        ``"running"``, ``"finished"``, ``"failed"`` or ``"killed"``.
    hypothesis, conclusion : str
        What was expected, before; what was learnt, after (the verdict in one sentence, notes of the user below it).
    recipe : mapping
        The recipe with the idea in it, as YAML would hold it.
    baseline : str
        Id of the promoted trial whose recipe it was compared with, or ``"shipped"``.
    code, code_sha256 : str
        Source text of the idea and its hash; empty for ideas without a file.
    carried : mapping of str to str
        Source text of earlier ideas that the recipe names (promoted ones), by the name of the plug-in.
    suite : str
        Name of the suite.
    data : mapping of str to str
        SHA-256 of each case's data (or the address of a phantom, which fixes them).
    seeds : tuple of int
    versions : mapping of str to str
        Of unmixel, numpy, and whatever else takes part.
    measured : tuple of Measured
    """

    id: str
    kind: str
    name: str
    created: str
    state: State = "running"
    hypothesis: str = ""
    conclusion: str = ""
    recipe: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    baseline: str = "shipped"
    code: str = ""
    code_sha256: str = ""
    carried: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    suite: str = ""
    data: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    seeds: tuple[int, ...] = ()
    versions: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    measured: tuple[Measured, ...] = ()
