"""``unmixel phantom``: a scan whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unmixel.cli.output import out as console
from unmixel.cli.output import print_json
from unmixel.core.errors import InputError, RunExistsError
from unmixel.dataset.scan import Scan
from unmixel.dataset.truth import Truth


def make(spec: str, *, out: str | None, as_json: bool, force: bool) -> None:
    """Describe a phantom; write its scan and truth when a file is named."""
    from unmixel.io.demo import phantom

    if out is not None:
        _check(Path(out), force=force)
    scan, truth = phantom(spec)
    facts = describe(spec, scan, truth)
    if out is not None:
        from unmixel.io.phantom import write_phantom

        write_phantom(Path(out), scan, truth)
        facts["file"] = out
    if as_json:
        print_json(facts)
        return
    for key, value in facts.items():
        console().print(f"{key.replace('_', ' ')}: {_words(value)}", markup=False)


def _check(path: Path, *, force: bool) -> None:
    if path.suffix != ".npz":
        raise InputError(
            "--out", expected="a file name that ends with .npz", got=f"'{path}'", hint="e.g. glass.npz"
        )
    if path.exists() and not force:
        raise RunExistsError(f"The file '{path}' exists. Choose another name, or overwrite it with --force.")


def describe(spec: str, scan: Scan, truth: Truth) -> dict[str, Any]:
    """Return what a phantom holds, JSON-safe."""
    sizes = np.asarray(truth.diameters)[np.isfinite(truth.diameters)]
    kinds = {kind: truth.kinds.count(kind) for kind in dict.fromkeys(truth.kinds)}
    phases = {phase: truth.phases.count(phase) for phase in dict.fromkeys(truth.phases) if phase}
    facts: dict[str, Any] = {
        "phantom": spec,
        "scan_shape": list(scan.scan_shape),
        "pattern_shape": list(scan.pattern_shape),
        "dtype": str(scan.data.dtype),
        "components": kinds,
        "counts_per_pattern": float(truth.maps.sum() / scan.n_positions),
        "settings": dict(truth.settings),
    }
    if phases:
        facts["phases"] = phases
    if sizes.size:
        unit = truth.scan_axes[0].unit
        facts[f"mean_diameter_{unit}"] = float(sizes.mean())
        facts["on_border"] = int(np.sum(truth.on_border))
    return facts


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list):
        return " x ".join(str(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
