"""The public list is short and guarded: a name that comes or goes must be written down here."""

from __future__ import annotations

import inspect

import pytest

import unmixel

PUBLIC = {
    "Annulus", "Disk", "Friedel", "Isotropic", "Matrix", "NMF", "NoDips", "NonNegative", "Pinned", "Recipe",
    "Relevance", "Resolution", "Result", "Scan", "Smooth", "SoftOrthogonal", "Sparse", "SpotShape", "Support",
    "TotalIntensity", "UnmixelError", "calibrate", "center_of_mass", "citation", "convert", "d_spacings", "export",
    "identify", "load", "match_positions", "open", "orientation_map", "plan", "rank", "region_profiles", "run",
    "scan_rotation", "sweep", "try_idea", "variance_profile", "view", "virtual_image",
}  # fmt: skip


def test_public_names_are_exactly_these() -> None:
    assert set(unmixel.__all__) == PUBLIC
    assert set(dir(unmixel)) == PUBLIC | {"__version__"}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_loads_from_its_home_and_tells_what_it_is(name: str) -> None:
    thing = getattr(unmixel, name)
    assert thing.__module__.startswith("unmixel.")
    assert len(inspect.getdoc(thing) or "") > 20


def test_unknown_name_lists_the_public_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'nmf'; public names: .*NMF"):
        unmixel.nmf  # noqa: B018


def test_typing_marker_is_shipped() -> None:
    from importlib.resources import files

    assert files("unmixel").joinpath("py.typed").is_file()
