"""Through RosettaSciIO: axes, units, metadata, choice among several, non-uniform axes, eager formats."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from unmixel.core.errors import ReadError
from unmixel.engines.lazy import is_lazy, wrap
from unmixel.io import rosetta
from unmixel.io.contract import ReadOptions
from unmixel.io.rosetta import RosettaReader
from unmixel.io.vendors import Vendor


def read(path: Path, **options):
    return RosettaReader().read(str(path), ReadOptions(**options))


@pytest.mark.parametrize("kind", ["hspy", "zspy"])
def test_hyperspy_files(kind: str, write_hspy, write_zspy, counts: np.ndarray) -> None:
    path = write_hspy(counts, chunks=(3, 5, 31, 26)) if kind == "hspy" else write_zspy(counts)
    scan = read(path)
    assert is_lazy(scan.data)
    assert np.array_equal(np.asarray(scan.data), counts)
    assert [(a.name, a.scale, a.offset, a.unit) for a in scan.scan_axes] == [
        ("y", 2.0, 1.0, "nm"),
        ("x", 2.0, 1.0, "nm"),
    ]
    assert [(a.name, a.unit) for a in scan.pattern_axes] == [("v", "1/angstrom"), ("u", "1/angstrom")]
    assert scan.pattern_axes[0].scale == pytest.approx(0.05)
    assert scan.pattern_axes[0].offset == pytest.approx(0.1)
    assert scan.source.format == f"HyperSpy {kind}"
    assert scan.source.notes == ()


def test_metadata_are_kept_whole(write_hspy, counts: np.ndarray) -> None:
    scan = read(write_hspy(counts))
    assert scan.original_metadata["original_metadata"]["vendor"]["serial"] == 17
    assert scan.original_metadata["metadata"]["General"]["title"] == "scan"
    assert scan.instrument.voltage_kV == 300.0


def test_files_are_opened_for_reading_only(write_zspy, counts: np.ndarray) -> None:
    path = write_zspy(counts)
    stamps = {p: p.stat().st_mtime_ns for p in path.rglob("*")}
    np.asarray(read(path).data)
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*")} == stamps


def test_spectra_of_a_line(write_hspy) -> None:
    scan = read(write_hspy(np.ones((9, 50)), n_scan=1, units=("nm", "keV")))
    assert scan.is_spectrum
    assert (scan.scan_axes[0].name, scan.pattern_axes[0].unit, scan.pattern_axes[0].scale) == (
        "x",
        "eV",
        500.0,
    )


def test_several_signals_and_a_choice(write_hspy) -> None:
    path = write_hspy(np.ones((2, 3, 4, 5)), titles=("first", "second"))
    assert "second" in read(path).source.notes[0]
    assert read(path, dataset="second").source.notes == ()
    with pytest.raises(ReadError, match="data named 'third'"):
        read(path, dataset="third")


def stand_in(monkeypatch: pytest.MonkeyPatch, reader, suffix: str = "fake", **vendor) -> None:
    """Put a format in RosettaSciIO's place that reads with `reader`."""
    module = ModuleType("rsciio_fake")
    module.file_reader = reader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rsciio_fake", module)
    fake = Vendor("Fake format", "rsciio_fake", (suffix,), **vendor)
    monkeypatch.setitem(rosetta.VENDORS, "Fake", fake)


def entry(data, axes=(), **metadata) -> dict:
    return {"data": data, "axes": list(axes), "metadata": metadata, "original_metadata": {"a": 1}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "s.fake").write_bytes(b"\x00\x01data")
    return tmp_path / "s.fake"


@pytest.mark.parametrize(
    "refusal", [NotImplementedError("Lazy loading is not supported"), ValueError("no lazy=True")]
)
def test_a_format_without_lazy_reading_is_read_whole_and_says_so(monkeypatch, path: Path, refusal) -> None:
    def reader(filename, lazy=False):
        if lazy:
            raise refusal
        return [entry(np.ones((2, 3, 4, 5)))]

    stand_in(monkeypatch, reader)
    scan = read(path)
    assert isinstance(scan.data, np.ndarray)
    assert any("it was read whole" in note for note in scan.source.notes)


def test_a_large_file_is_not_read_whole(monkeypatch, path: Path) -> None:
    def reader(filename, lazy=False):
        if lazy:
            raise NotImplementedError("Lazy loading is not supported")
        raise AssertionError("read whole")

    stand_in(monkeypatch, reader)
    monkeypatch.setattr(rosetta, "_EAGER_LIMIT", 3)
    with pytest.raises(ReadError, match="it is read whole"):
        read(path)


def test_axes_that_are_not_uniform_are_counted_in_px(monkeypatch, path: Path) -> None:
    bent = {"axis": np.geomspace(1, 9, 5), "name": "t", "units": "nm", "navigate": True}
    even = {"axis": np.arange(4) * 2.0 + 1, "name": "E", "units": "keV", "navigate": False}
    formula = {"expression": "x**2", "name": "f", "navigate": True}
    stand_in(monkeypatch, lambda filename, lazy: [entry(np.ones((3, 5, 4)), [formula, bent, even])])
    scan = read(path)
    assert (scan.pattern_axes[0].scale, scan.pattern_axes[0].offset) == (2000.0, 1000.0)
    assert [axis.unit for axis in scan.scan_axes] == ["px", "px"]
    assert any("not uniform" in note for note in scan.source.notes)
    assert any("formula" in note for note in scan.source.notes)


def test_old_files_say_once_what_is_the_signal(monkeypatch, path: Path) -> None:
    axes = [
        {"name": n, "size": s, "scale": 1.0, "offset": 0.0, "units": ""}
        for n, s in (("y", 3), ("x", 4), ("z", 5))
    ]
    for kind, n_pattern in (("spectrum", 1), ("image", 2)):
        stand_in(
            monkeypatch,
            lambda filename, lazy, k=kind: [entry(np.ones((3, 4, 5)), axes, Signal={"record_by": k})],
        )
        assert len(read(path).pattern_axes) == n_pattern


@pytest.mark.parametrize("axes", [(), [{"size": s, "navigate": True} for s in (3, 4, 5)]])
def test_without_roles_the_user_decides(monkeypatch, path: Path, axes) -> None:
    stand_in(monkeypatch, lambda filename, lazy: [entry(np.ones((3, 4, 5)), axes)])
    guess = read(path)
    assert (guess.scan_shape, guess.pattern_shape) == ((3, 4), (5,))
    assert guess.source.scan_shape_from.startswith("a guess")
    assert read(path, scan_shape=(1, 3)).pattern_shape == (4, 5)


def test_what_the_library_says_is_kept(monkeypatch, path: Path, recwarn: pytest.WarningsRecorder) -> None:
    import warnings

    def reader(filename, lazy):
        warnings.warn("header is odd", stacklevel=1)
        return [entry(np.ones((2, 3, 4, 5)))]

    stand_in(monkeypatch, reader)
    assert "RosettaSciIO: header is odd" in read(path).source.notes
    assert len(recwarn) == 0


def test_frames_of_raw_files_are_read_alone(monkeypatch, path: Path) -> None:
    """A raw file in one chunk, larger than a chunk of ours, is cut into whole frames."""
    values = np.zeros((70, 2, 500, 500), np.uint8)
    asked: list[object] = []

    def reader(filename, lazy, chunks="auto"):
        asked.append(chunks)
        return [entry(wrap(values, -1))]

    stand_in(monkeypatch, reader, raw=True)
    scan = read(path)
    assert asked == [-1]
    assert scan.data.npartitions > 1
    assert all(len(lengths) == 1 for lengths in scan.data.chunks[2:])
    assert np.array_equal(np.asarray(scan.data[3, 1]), values[3, 1])


def test_a_raw_file_that_ends_early_fails_at_once(monkeypatch, path: Path) -> None:
    class Cut:
        shape, ndim, dtype = (9, 4, 4), 3, np.dtype("u1")

        def __getitem__(self, key):
            raise ValueError("mmap length is greater than file size")

    stand_in(monkeypatch, lambda filename, lazy, chunks: [entry(wrap(Cut(), -1))], raw=True)
    with pytest.raises(ReadError, match="ends too early") as caught:
        read(path)
    assert isinstance(caught.value.__cause__, ValueError)


def test_spectra_stored_energy_first_are_turned_lazily(monkeypatch, path: Path) -> None:
    values = np.arange(6 * 3 * 4).reshape(6, 3, 4)
    axes = [
        {"name": "Energy loss", "size": 6, "scale": 1.0, "offset": 300.0, "units": "eV", "navigate": True},
        {"name": "y", "size": 3, "scale": 2.0, "offset": 0.0, "units": "nm", "navigate": False},
        {"name": "x", "size": 4, "scale": 2.0, "offset": 0.0, "units": "nm", "navigate": False},
    ]
    stand_in(monkeypatch, lambda filename, lazy, chunks: [entry(wrap(values, -1), axes)], raw=True)
    scan = read(path)
    assert is_lazy(scan.data)
    assert np.array_equal(np.asarray(scan.data), values.transpose(1, 2, 0))
    assert scan.pattern_axes[0].offset == 300.0


def test_the_next_format_of_the_suffix_is_tried(monkeypatch, path: Path) -> None:
    def broken(filename, lazy):
        raise RuntimeError("not mine")

    stand_in(monkeypatch, lambda filename, lazy: [entry(np.ones((2, 3, 4, 5)))])
    module = ModuleType("rsciio_other")
    module.file_reader = broken  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rsciio_other", module)
    table = {"Other": Vendor("Other format", "rsciio_other", ("fake",)), **rosetta.VENDORS}
    monkeypatch.setattr(rosetta, "VENDORS", table)
    assert read(path).scan_shape == (2, 3)
    monkeypatch.setattr(rosetta, "VENDORS", {"Other": table["Other"]})
    with pytest.raises(ReadError, match=r"tried: Other format\), got RuntimeError: not mine"):
        read(path)


def test_a_missing_package_is_named(monkeypatch, path: Path) -> None:
    def reader(filename, lazy):
        raise ModuleNotFoundError("The 'sparse' library was not found.")

    stand_in(monkeypatch, reader)
    with pytest.raises(ReadError, match=r"needs the package 'sparse'.*pip install sparse"):
        read(path)
