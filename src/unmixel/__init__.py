"""unmixel: separate electron-microscopy scans into a few physical patterns and maps."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unmixel.core.errors import UnmixelError
    from unmixel.dataset.matrix import Matrix
    from unmixel.dataset.result import Result
    from unmixel.dataset.scan import Scan
    from unmixel.factorize.constraints.friedel import Friedel
    from unmixel.factorize.constraints.isotropic import Isotropic
    from unmixel.factorize.constraints.no_dips import NoDips
    from unmixel.factorize.constraints.nonnegative import NonNegative
    from unmixel.factorize.constraints.pinned import Pinned
    from unmixel.factorize.constraints.relevance import Relevance
    from unmixel.factorize.constraints.resolution import Resolution
    from unmixel.factorize.constraints.smooth import Smooth
    from unmixel.factorize.constraints.soft_orthogonal import SoftOrthogonal
    from unmixel.factorize.constraints.sparse import Sparse
    from unmixel.factorize.constraints.spot_shape import SpotShape
    from unmixel.factorize.constraints.support import Support
    from unmixel.factorize.constraints.total_intensity import TotalIntensity
    from unmixel.factorize.model import NMF
    from unmixel.factorize.rank import rank
    from unmixel.factorize.sweep import sweep
    from unmixel.interpret.calibrate import calibrate
    from unmixel.interpret.orient import orientation_map
    from unmixel.interpret.phases import identify
    from unmixel.interpret.positions import match_positions
    from unmixel.interpret.rotation import scan_rotation
    from unmixel.interpret.spacings import d_spacings
    from unmixel.io.open import open  # noqa: A004 - the field's word for it
    from unmixel.lab.attempt import try_idea
    from unmixel.lab.planning import plan
    from unmixel.pipeline.convert import convert
    from unmixel.pipeline.export import export
    from unmixel.pipeline.kept import load
    from unmixel.pipeline.recipe import Recipe
    from unmixel.pipeline.run import run
    from unmixel.prepare.detectors import Annulus, Disk, center_of_mass, virtual_image
    from unmixel.prepare.region_profiles import region_profiles
    from unmixel.prepare.variance import variance_profile
    from unmixel.report.citation import citation
    from unmixel.web.notebook import view

__version__ = "0.1.0"

_HOMES = {
    "Annulus": "unmixel.prepare.detectors",
    "Disk": "unmixel.prepare.detectors",
    "Friedel": "unmixel.factorize.constraints.friedel",
    "Isotropic": "unmixel.factorize.constraints.isotropic",
    "Matrix": "unmixel.dataset.matrix",
    "NMF": "unmixel.factorize.model",
    "NoDips": "unmixel.factorize.constraints.no_dips",
    "NonNegative": "unmixel.factorize.constraints.nonnegative",
    "Pinned": "unmixel.factorize.constraints.pinned",
    "Recipe": "unmixel.pipeline.recipe",
    "Relevance": "unmixel.factorize.constraints.relevance",
    "Resolution": "unmixel.factorize.constraints.resolution",
    "Result": "unmixel.dataset.result",
    "Scan": "unmixel.dataset.scan",
    "Smooth": "unmixel.factorize.constraints.smooth",
    "SoftOrthogonal": "unmixel.factorize.constraints.soft_orthogonal",
    "Sparse": "unmixel.factorize.constraints.sparse",
    "SpotShape": "unmixel.factorize.constraints.spot_shape",
    "Support": "unmixel.factorize.constraints.support",
    "TotalIntensity": "unmixel.factorize.constraints.total_intensity",
    "UnmixelError": "unmixel.core.errors",
    "calibrate": "unmixel.interpret.calibrate",
    "center_of_mass": "unmixel.prepare.detectors",
    "citation": "unmixel.report.citation",
    "convert": "unmixel.pipeline.convert",
    "d_spacings": "unmixel.interpret.spacings",
    "export": "unmixel.pipeline.export",
    "identify": "unmixel.interpret.phases",
    "load": "unmixel.pipeline.kept",
    "match_positions": "unmixel.interpret.positions",
    "open": "unmixel.io.open",
    "orientation_map": "unmixel.interpret.orient",
    "plan": "unmixel.lab.planning",
    "rank": "unmixel.factorize.rank",
    "region_profiles": "unmixel.prepare.region_profiles",
    "run": "unmixel.pipeline.run",
    "scan_rotation": "unmixel.interpret.rotation",
    "sweep": "unmixel.factorize.sweep",
    "try_idea": "unmixel.lab.attempt",
    "variance_profile": "unmixel.prepare.variance",
    "view": "unmixel.web.notebook",
    "virtual_image": "unmixel.prepare.detectors",
}

__all__ = [  # noqa: RUF022 - nouns, then verbs
    "Annulus",
    "Disk",
    "Friedel",
    "Isotropic",
    "Matrix",
    "NMF",
    "NoDips",
    "NonNegative",
    "Pinned",
    "Recipe",
    "Relevance",
    "Resolution",
    "Result",
    "Scan",
    "Smooth",
    "SoftOrthogonal",
    "Sparse",
    "SpotShape",
    "Support",
    "TotalIntensity",
    "UnmixelError",
    "calibrate",
    "center_of_mass",
    "citation",
    "convert",
    "d_spacings",
    "export",
    "identify",
    "load",
    "match_positions",
    "open",
    "orientation_map",
    "plan",
    "rank",
    "region_profiles",
    "run",
    "scan_rotation",
    "sweep",
    "try_idea",
    "variance_profile",
    "view",
    "virtual_image",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that ``import unmixel`` stays fast."""
    if name not in _HOMES:
        raise AttributeError(
            f"module 'unmixel' has no attribute '{name}'; public names: {', '.join(__all__)}"
        )
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
