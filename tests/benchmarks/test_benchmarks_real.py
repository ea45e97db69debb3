"""What is known of foreign scans: the judges say 1 (or 0) of a perfect answer, and less of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import real
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Convergence, Factors
from unmixel.dataset.scan import Scan


def _factors(maps: NDArray[Any], patterns: NDArray[Any], axes: tuple[Axis, ...]) -> Factors:
    k = len(maps)
    maps = maps * patterns.reshape(k, -1).sum(axis=1).reshape(k, *(1,) * (maps.ndim - 1))
    return Factors(
        maps=maps,
        patterns=patterns / patterns.reshape(k, -1).sum(axis=1).reshape(k, *(1,) * (patterns.ndim - 1)),
        scan_axes=tuple(Axis(name, n, 1.0, unit="nm") for name, n in zip("yx", maps.shape[1:], strict=True)),
        pattern_axes=axes,
        used_pixels=np.ones(patterns.shape[1:], bool),
        fill="zero",
        strengths=maps.reshape(k, -1).sum(axis=1) / maps.sum(),
        convergence=Convergence((), 0.0, 1, True, "given"),
        flags=((),) * k,
    )


def _scan(factors: Factors) -> Scan:
    shape = (*factors.maps.shape[1:], *factors.patterns.shape[1:])
    return Scan(np.zeros(shape, np.uint8), factors.scan_axes, factors.pattern_axes)


def _spotted(radii: list[float], *, n: int = 90, step: float = 0.0325) -> NDArray[np.float64]:
    """Return a pattern of spots at some radii in 1/angstrom, each at eight angles, on a low even level."""
    v, u = (np.indices((n, n)) - n // 2) * step
    image = np.full((n, n), 0.01)
    for order, radius in enumerate(radii):
        for angle in np.arange(8) * np.pi / 4 + 0.3 * order:
            v0, u0 = radius * np.sin(angle), radius * np.cos(angle)
            image += np.exp(-((v - v0) ** 2 + (u - u0) ** 2) / (2 * (1.2 * step) ** 2))
    return image


def test_spots_of_mgo_lie_on_its_rings_and_others_do_not() -> None:
    axes = tuple(Axis(name, 90, 0.0325, -45 * 0.0325, "1/angstrom") for name in "vu")
    y, x = np.indices((12, 14))
    maps = np.exp(-((y - 5) ** 2 + (x - 6) ** 2) / 8.0)[None]
    said = {}
    for name, radii in (("mgo", [0.4114, 0.4751, 0.6718]), ("other", [0.443, 0.57, 0.73])):
        factors = _factors(maps, _spotted(radii)[None], axes)
        said[name] = real.judge_mgo(real.DATASETS["mgo"], factors, _scan(factors))
    assert said["mgo"]["on_rings"] > 0.75
    assert said["other"]["on_rings"] < said["mgo"]["by_chance"]
    assert 0.2 < said["mgo"]["by_chance"] < 0.5


def test_net_counts_of_a_line_know_no_background() -> None:
    energies = np.arange(0.8, 8, 0.01)
    line = np.exp(-((energies - 1.740) ** 2) / (2 * 0.03**2))
    background = np.exp(-energies)
    spectra = np.stack([line, line + 0.2, background])
    net = real.line_counts(spectra, energies, 1.740)
    assert net[1] == pytest.approx(net[0], rel=1e-6)
    assert net[2] < 0.05 * net[0]
    assert real.line_counts(spectra, energies, 3.692)[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("mixed", [0.0, 0.4])
def test_pure_minerals_hold_no_forbidden_element(mixed: float) -> None:
    energies = np.arange(0.8, 8, 0.01)

    def spectrum(**parts: float) -> NDArray[np.float64]:
        peaks = [
            share * np.exp(-((energies - real.LINES[element]) ** 2) / (2 * 0.03**2))
            for element, share in parts.items()
        ]
        return np.asarray(0.01 + sum(peaks))

    bridgmanite, periclase = spectrum(Mg=1, Si=1), spectrum(Mg=1)
    perovskite = spectrum(Si=1, Ca=1) + mixed * periclase
    factors = _factors(
        np.ones((3, 4, 5)) * np.array([3.0, 2, 1]).reshape(3, 1, 1),
        np.stack([bridgmanite, periclase, perovskite]),
        (Axis("energy", len(energies), 0.01, 0.8, "keV"),),
    )
    said = real.judge_mantle(real.DATASETS["mantle"], factors, _scan(factors))
    assert said["Ca_in_bridgmanite"] == pytest.approx(0, abs=0.01)
    assert said["Si_in_ferropericlase"] == pytest.approx(0, abs=0.01)
    assert said["Mg_in_CaSiO3"] == pytest.approx(mixed / (2 + mixed), abs=0.02)


@pytest.mark.real
def test_the_spectra_without_noise_are_judged_perfect() -> None:
    dataset = real.DATASETS["mn3o4"]
    clean_file = dataset.file.with_name("mn3o4_f2.mat")
    if not clean_file.exists():
        pytest.skip("the EELS scan is not beside the repository")
    from scipy.io import loadmat

    clean = 1e6 * loadmat(clean_file)["datar"].reshape(-1, 138)
    assert np.linalg.matrix_rank(clean, tol=1e-9 * np.linalg.norm(clean)) == 2
    u, s, vt = np.linalg.svd(clean, full_matrices=False)
    maps, patterns = (u[:, :2] * s[:2]).T.reshape(2, 24, 22), vt[:2]
    axes = (Axis("energy", 138, 1.0, unit="eV"),)
    base = _factors(np.ones((2, 24, 22)), np.ones((2, 138)), axes)
    from dataclasses import replace

    scan = _scan(base)
    exact = replace(base, maps=maps, patterns=patterns)
    said = real.judge_mn3o4(dataset, exact, scan)
    assert said["truth_error"] < 1e-12
    assert said["cosine"] < 0.95, "singular vectors are no spectra"
    half = real.judge_mn3o4(dataset, replace(exact, maps=maps / 2), scan)
    assert half["truth_error"] == pytest.approx(0.25)


@pytest.mark.real
def test_true_grains_are_judged_perfect() -> None:
    dataset = real.DATASETS["grains"]
    if not dataset.file.exists():
        pytest.skip("the scan of grains is not beside the repository")
    truth = np.load(dataset.file)
    grains = truth["grain_id"]
    maps = np.stack([np.where(grains == g, 300.0, 0.0) for g in range(6)])
    data = truth["data"].astype(float)
    patterns = np.stack([data[(grains == g) & (truth["purity"] > 0.9)].mean(axis=0) for g in range(6)])
    v, u = np.indices((64, 64)) - 31.5
    axes = tuple(Axis(name, 64, 1.0, -31.5, "px") for name in "vu")
    from dataclasses import replace

    factors = replace(_factors(maps, patterns, axes), used_pixels=np.hypot(v, u) > 5)
    said = real.judge_grains(dataset, factors, _scan(factors))
    assert said["grains"] == 1
    merged = replace(factors, maps=maps[[0, 0, 2, 3, 4, 5]] + maps[[1, 1, 2, 3, 4, 5]])
    assert real.judge_grains(dataset, merged, _scan(factors))["grains"] < 1


def test_what_is_there_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[list[str]] = []

    def run(words: list[str]) -> tuple[str, None]:
        calls.append(words[-2:])
        return json.dumps({"grains": 0.5}), None

    here = tmp_path / "scan.npz"
    here.write_bytes(b"")
    absent = real.Dataset("mgo", tmp_path / "no.zspy", 6, "absent")
    monkeypatch.setattr(real, "run", run)
    monkeypatch.setattr(real, "DATASETS", {"grains": real.Dataset("grains", here, 8, "x"), "mgo": absent})
    words = ["--out", str(tmp_path / "real.json"), "--recipes", "plain", "shipped"]
    assert real.main(words) == 0
    assert calls == [["grains", "plain"], ["grains", "shipped"]]
    assert real.main([*words, "--redo", "shipped"]) == 0
    assert calls[2:] == [["grains", "shipped"]]
    said = capsys.readouterr()
    assert "| grains | plain | grains 0.5 |" in said.out
    assert "left out" in said.err
