"""HyperSpy: the factors as results of a decomposition, in HDF5 (.hspy) or zarr (.zspy).

A signal of HyperSpy needs data of the shape of the scan. Those of the scan are not the result's to give away, and the
model (maps times patterns) would be as large as they are: the signal's data read as NaN and take no room.
``s.get_decomposition_model()`` makes the model; ``signal_of_scan.learning_results = s.learning_results`` puts the
results on the measured signal.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import MissingExtraError
from unmixel.io.decomposed_signal import DecomposedSignal, write_hspy, write_zspy

if TYPE_CHECKING:
    from unmixel.dataset.result import Result
    from unmixel.io.exporters.contract import Parcel

_NOTES = (
    "Factors found by unmixel, as results of a decomposition. The data are not in here (NaN); "
    "get_decomposition_model() makes the model."
)


class HspyExporter:
    """A .hspy file: ``hs.load("mgo.hspy").plot_decomposition_results()``."""

    name: ClassVar[str] = "hspy"
    suffix: ClassVar[str] = ".hspy"

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the file."""
        write_hspy(target, decomposed(parcel))

    def check(self, target: Path) -> tuple[str, ...]:
        """Return what HyperSpy does not find when it loads the file."""
        return judged(target)


class ZspyExporter:
    """A .zspy folder: the same in zarr."""

    name: ClassVar[str] = "zspy"
    suffix: ClassVar[str] = ".zspy"

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the folder."""
        write_zspy(target, decomposed(parcel))

    def check(self, target: Path) -> tuple[str, ...]:
        """Return what HyperSpy does not find when it loads the folder."""
        return judged(target)


def decomposed(parcel: Parcel) -> DecomposedSignal:
    """Return a result as HyperSpy has the outcome of a decomposition."""
    result = parcel.result
    factors = result.factors
    return DecomposedSignal(
        title=parcel.name,
        axes=(*factors.scan_axes, *factors.pattern_axes),
        n_navigation=len(factors.scan_axes),
        metadata={"General": {"notes": _NOTES}, "Signal": {"signal_type": "", "quantity": "counts"}},
        original_metadata={"unmixel": _unmixel(result)},
        learning_results=_learning_results(result),
    )


def _learning_results(result: Result) -> dict[str, Any]:
    factors = result.factors
    k, used = factors.n_components, np.asarray(factors.used_pixels)
    return {
        "factors": _columns(factors.patterns),
        "loadings": _columns(factors.maps),
        "output_dimension": k,
        "number_significant_components": k,
        "decomposition_algorithm": "unmixel.NMF",
        "poissonian_noise_normalized": False,
        "unfolded": len(factors.scan_axes) + len(factors.pattern_axes) > 2,
        "centre": None,
        "mean": None,
        **({} if used.all() else {"signal_mask": ~used}),
    }


def _columns(values: NDArray[Any]) -> NDArray[Any]:
    """Return (k, *shape) as (samples, k), in which HyperSpy keeps factors and loadings."""
    return np.ascontiguousarray(np.asarray(values).reshape(len(values), -1).T)


def _unmixel(result: Result) -> dict[str, Any]:
    """Return what HyperSpy has no place for: groups, strengths, how it was made."""
    factors, groups = result.factors, result.groups
    found: dict[str, Any] = {
        "strengths": np.asarray(factors.strengths),
        "flags": [list(flags) for flags in factors.flags],
        "recipe": dict(result.recipe),
        "record": dict(result.record),
    }
    if groups is not None:
        found["groups"] = {
            "labels": np.asarray(groups.labels),
            "rotation_deg": np.asarray(groups.rotation_deg),
            "crystalline": np.asarray(groups.crystalline),
            "patterns": np.asarray(groups.patterns),
            "maps": np.asarray(groups.maps),
            "method": groups.method,
        }
    if result.phases is not None:
        found["phases"] = result.phases.table()
    return found


def judged(target: Path) -> tuple[str, ...]:
    """Return what HyperSpy does not find when it loads the results of a decomposition."""
    try:
        import hyperspy.api as hs
    except ImportError as error:
        raise MissingExtraError(
            "hyperspy", extra="hyperspy", purpose=f"Checking a {target.suffix} file"
        ) from error
    try:
        signal = hs.load(str(target), lazy=True)
        maps, patterns = signal.get_decomposition_loadings(), signal.get_decomposition_factors()
    except Exception as error:  # noqa: BLE001 - whatever HyperSpy comes to is the finding
        return (f"HyperSpy cannot read it: {type(error).__name__}: {error}",)
    if maps.axes_manager.navigation_size != patterns.axes_manager.navigation_size:
        return ("HyperSpy finds other numbers of loadings than of factors",)
    return ()
