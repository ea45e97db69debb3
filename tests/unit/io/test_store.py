"""The bundle: what is written comes back exactly, and plots by default."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError, ReadError
from unmixel.dataset.axes import Axis
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.result import Result
from unmixel.dataset.results import (
    Convergence,
    Factors,
    Groups,
    Leftovers,
    Particle,
    Particles,
    Residual,
    Uncertainty,
)
from unmixel.io.store import SCHEMA, read_array, read_bundle, write_bundle

GOLDEN = Path(__file__).parents[2] / "golden"


def a_result(
    scan: tuple[int, ...] = (13, 29),
    pattern: tuple[int, ...] = (31, 26),
    k: int = 3,
    *,
    dtype: type = np.float32,
    whole: bool = True,
) -> Result:
    rng = np.random.default_rng(7)
    scan_axes = tuple(
        Axis(n, s, 0.1 + i, -1 / 3, "nm") for i, (n, s) in enumerate(zip("yxz", scan, strict=False))
    )
    names = ("v", "u") if len(pattern) == 2 else ("energy",)
    pattern_axes = tuple(Axis(n, s, 1 / 7, 0.2, "1/angstrom") for n, s in zip(names, pattern, strict=True))
    errors = rng.random((k, *scan)).astype(np.float32)
    errors.flat[0] = np.nan
    uncertainty = Uncertainty(
        maps=errors,
        patterns=rng.random((k, *pattern)).astype(np.float32),
        gain=1.5,
        method="as written",
        stability=rng.random(k) if k > 1 else None,
        scatter=np.full(k, np.nan) if k > 2 else None,
    )
    n_peaks = k - 1
    leftovers = Leftovers(
        z_map=rng.normal(size=scan).astype(np.float32),
        z_pattern=rng.normal(size=pattern).astype(np.float32),
        gain=1.5,
        threshold=4.2,
        places=np.zeros((n_peaks, len(scan)), np.int64),
        significance=rng.random(n_peaks),
        counts=rng.random(n_peaks),
        maps=rng.random((n_peaks, *scan)).astype(np.float32),
        patterns=rng.random((n_peaks, *pattern)).astype(np.float32),
    )
    factors = Factors(
        maps=rng.random((k, *scan)).astype(dtype),
        patterns=rng.random((k, *pattern)).astype(dtype),
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        used_pixels=rng.random(pattern) > 0.1,
        fill="model",
        strengths=rng.random(k),
        convergence=Convergence((3.0, 2.0, 1 / 3), 0.1, 2, True, "the rule was met"),
        flags=(("camera artefact?", "edge"), *((),) * (k - 1)),
        residual=Residual(rng.random(scan), rng.random(pattern), 1.25, 0.5) if whole else None,
        settings={"solver": "gradient", "constraints": [{"name": "sparse", "weight": 2.0}], "none": None},
        uncertainty=uncertainty if whole else None,
        leftovers=leftovers if whole else None,
    )
    if not whole:
        return Result(factors)
    groups = Groups(
        labels=np.arange(k) % 2,
        distance=rng.random((k, k)),
        rotation_deg=rng.random(k),
        linkage=rng.random((k - 1, 4)),
        cut=0.25,
        cut_reason="surrogates",
        patterns=rng.random((min(k, 2), *pattern)),
        maps=rng.random((min(k, 2), *scan)),
        center=(15.5, 1 / 3) if len(pattern) == 2 else (),
        crystalline=np.array([True, False][: min(k, 2)]),
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        method="rotation (α = 0.3)",
        mirrored=np.zeros(k, bool),
        distance_unturned=None,
        used_pixels=rng.random((min(k, 2), *pattern)) > 0.5,
        membership=rng.random((k, min(k, 2))),
    )
    particles = Particles(
        table=(
            Particle(1, 0, -1, 1.5, 2.5, 12.25, 3.9, False, 4.0, 1.25),
            Particle(2, 1, 0, 0.1, 2.5, 1.0, 1.1, True, float("nan"), 1.0),
        ),
        labels=rng.integers(0, 3, (min(k, 2), *scan)),
        unit="nm",
        number_density=0.01,
        area_fraction=0.2,
        mean_diameter=3.9,
        mean_interval=(float("nan"), 4.5),
        median_diameter=float("nan"),
        median_interval=(1.0, 2.0),
        notes=("smallest area 8 px",),
        volume_fraction=0.125,
    )
    return Result(
        factors,
        groups,
        particles,
        card=DataCard("x.zspy", (CardRow("shape", "13 x 29", "green", "said by the file"),), {"n": 3}),
        recipe={"version": 1, "prepare": [{"center": {}}]},
        record={"status": "finished", "steps": [], "notes": ["ångström"]},
        extras={"beam": rng.random((5, 5)), "mean_map": rng.random(scan).astype(np.float32)},
    )


def assert_same(found: Any, wanted: Any, where: str = "") -> None:
    """Equal to the bit: types, shapes, dtypes, values, NaN where NaN was."""
    if isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype, where
        np.testing.assert_array_equal(found, wanted, err_msg=where, strict=True)
    elif dataclasses.is_dataclass(wanted):
        assert type(found) is type(wanted), where
        for item in dataclasses.fields(wanted):
            assert_same(getattr(found, item.name), getattr(wanted, item.name), f"{where}.{item.name}")
    elif isinstance(wanted, (tuple, list)):
        assert type(found) is type(wanted), where
        assert len(found) == len(wanted), where
        for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    elif isinstance(wanted, dict):
        assert set(found) == set(wanted), where
        for key in wanted:
            assert_same(found[key], wanted[key], f"{where}[{key}]")
    elif isinstance(wanted, float) and np.isnan(wanted):
        assert np.isnan(found), where
    else:
        assert type(found) is type(wanted), where
        assert found == wanted, where


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("scan", "pattern", "k"),
    [((13, 29), (31, 26), 3), ((17,), (40,), 2), ((), (6, 5), 1), ((5, 4), (33,), 1)],
)
def test_everything_comes_back_exactly(tmp_path: Path, scan: Any, pattern: Any, k: int, whole: bool) -> None:
    result = a_result(scan, pattern, k, whole=whole)
    write_bundle(tmp_path / "r.nxs", result)
    found = read_bundle(tmp_path / "r.nxs")
    for item in dataclasses.fields(Result):
        wanted = getattr(result, item.name)
        wanted = dict(wanted) if item.name in ("recipe", "record", "extras") else wanted
        assert_same(getattr(found, item.name), wanted, item.name)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scan=st.lists(st.integers(1, 7), min_size=0, max_size=3).map(tuple),
    pattern=st.lists(st.integers(1, 9), min_size=1, max_size=2).map(tuple),
    k=st.integers(1, 4),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_any_shape_comes_back(tmp_path: Path, scan: Any, pattern: Any, k: int, dtype: Any) -> None:
    result = a_result(scan, pattern, k, dtype=dtype)
    write_bundle(tmp_path / "r.nxs", result)
    found = read_bundle(tmp_path / "r.nxs")
    assert_same(found.factors, result.factors)
    assert_same(found.groups, result.groups)


def test_a_viewer_plots_it_without_being_asked(tmp_path: Path) -> None:
    write_bundle(tmp_path / "r.nxs", a_result())
    with h5py.File(tmp_path / "r.nxs") as file:
        assert file.attrs["NX_class"] == "NXroot"
        entry = file[file.attrs["default"]]
        assert entry.attrs["NX_class"] == "NXentry"
        plots = []
        entry.visititems(
            lambda _, node: plots.append(node) if node.attrs.get("NX_class") == "NXdata" else None
        )
        assert entry[entry.attrs["default"]] in plots
        for group in plots:
            shown = group[group.attrs["signal"]]
            names = [str(name) for name in group.attrs["axes"]]
            assert shown.ndim == len(names), group.name
            for size, name in zip(shown.shape, names, strict=True):
                assert group[name].shape == (size,), f"{group.name}/{name}"
            assert "units" in shown.attrs
        assert entry["maps/y"].attrs["units"] == "nm"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "r.nxs"
    write_bundle(path, a_result())
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_bundle(path, a_result(), arrays={"bad": np.array([object()])})
    assert path.read_bytes() == before
    assert [member.name for member in tmp_path.iterdir()] == ["r.nxs"]


def test_two_writes_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.nxs", "b.nxs"):
        write_bundle(tmp_path / name, a_result())
    assert (tmp_path / "a.nxs").read_bytes() == (tmp_path / "b.nxs").read_bytes()


def test_arrays_of_the_recipe_are_found_by_name(tmp_path: Path) -> None:
    known = np.arange(12.0).reshape(3, 4)
    write_bundle(tmp_path / "r.nxs", a_result(), arrays={"constraints.0.pinned.values": known})
    np.testing.assert_array_equal(
        read_array(tmp_path / "r.nxs", "entry/arrays/constraints.0.pinned.values"), known
    )
    np.save(tmp_path / "k.npy", known)
    np.testing.assert_array_equal(read_array(tmp_path / "k.npy"), known)
    np.savez(tmp_path / "k.npz", known=known)
    np.testing.assert_array_equal(read_array(tmp_path / "k.npz", "known"), known)
    for name in ("k.npz", "r.nxs"):
        with pytest.raises(InputError, match="an array 'nothing'"):
            read_array(tmp_path / name, "nothing")


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.nxs").write_text("no HDF5")
    with h5py.File(tmp_path / "other.nxs", "w") as file:
        file["x"] = 1
    with h5py.File(tmp_path / "newer.nxs", "w") as file:
        file.attrs["unmixel_schema"] = SCHEMA + 1
    with h5py.File(tmp_path / "torn.nxs", "w") as file:
        file.attrs["unmixel_schema"] = SCHEMA
    for name, words in [
        ("missing.nxs", "run again"),
        ("text.nxs", "an HDF5/NeXus file that unmixel wrote"),
        ("other.nxs", "unmixel_schema"),
        ("newer.nxs", "install a newer unmixel"),
        ("torn.nxs", "no seal, or a damaged one"),
    ]:
        with pytest.raises(ReadError, match=words):
            read_bundle(tmp_path / name)


def test_a_bundle_of_schema_1_stays_readable() -> None:
    """Pinned when schema 1 was written first; never regenerate the file for a newer schema."""
    found = read_bundle(GOLDEN / "bundle-v1.nxs")
    assert found.maps.shape == (2, 3, 4)
    assert found.maps.dtype == np.float32
    np.testing.assert_array_equal(found.maps[1, 2], np.float32([20, 21, 22, 23]) / 8)
    assert found.factors.scan_axes == (Axis("y", 3, 0.5, 1.0, "nm"), Axis("x", 4, 0.25, 0.0, "nm"))
    assert found.factors.pattern_axes == (
        Axis("v", 5, 0.125, -0.25, "1/angstrom"),
        Axis("u", 2, 0.125, 0.0, "1/angstrom"),
    )
    assert found.factors.flags == (("edge artefact?",), ())
    assert found.factors.convergence == Convergence((4.0, 2.0, 1.5), 0.25, 2, True, "the rule was met")
    assert found.factors.residual is not None
    assert found.factors.residual.chi2 == 1.5
    assert found.factors.uncertainty is None
    assert found.factors.leftovers is None
    assert found.groups is not None
    assert found.groups.labels.tolist() == [0, 0]
    assert found.groups.rotation_deg.tolist() == [0.0, 30.0]
    assert found.groups.mirrored is None
    assert found.particles is not None
    assert_same(found.particles.table, (Particle(1, 0, -1, 1.5, 0.5, 0.375, 0.75, False),))
    assert found.particles.mean_interval == (0.5, 1.0)
    assert found.card == DataCard(
        "golden", (CardRow("shape", "3 x 4 | 5 x 2", "green", "as written"),), {"n": 12}
    )
    assert found.recipe == {"version": 1}
    assert found.record["status"] == "finished"
    np.testing.assert_array_equal(found.extras["beam"], np.eye(3))
