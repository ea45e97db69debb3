"""Opening: the right reader, the user's scan shape, flyback, and one result whatever the container."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import unmixel
from unmixel.core.errors import InputError, PluginError, ReadError, ScanShapeError
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import is_lazy
from unmixel.io import open as home
from unmixel.io.open import open as open_scan


def test_open_is_public() -> None:
    assert unmixel.open is open_scan


@pytest.mark.parametrize("container", ["npz", "npy", "hspy", "zspy"])
def test_a_scan_that_is_square_nowhere_is_the_same_from_every_container(
    container: str, tmp_path: Path, write_hspy, write_zspy, counts: np.ndarray
) -> None:
    if container == "npz":
        np.savez_compressed(tmp_path / "s.npz", data=counts)
        path = tmp_path / "s.npz"
    elif container == "npy":
        np.save(tmp_path / "s.npy", counts)
        path = tmp_path / "s.npy"
    else:
        path = write_hspy(counts) if container == "hspy" else write_zspy(counts)
    scan = open_scan(path)
    assert (scan.scan_shape, scan.pattern_shape) == ((13, 29), (31, 26))
    assert is_lazy(scan.data)
    assert np.array_equal(np.asarray(scan.data), counts)
    assert scan.source.path == str(path)


@pytest.fixture
def stack(tmp_path: Path, counts: np.ndarray) -> Path:
    np.save(tmp_path / "stack.npy", counts.reshape(377, 31, 26))
    return tmp_path / "stack.npy"


def test_the_user_gives_the_scan_shape(stack: Path, counts: np.ndarray) -> None:
    scan = open_scan(stack, scan_shape=(13, 29))
    assert np.array_equal(np.asarray(scan.data), counts)
    assert scan.source.scan_shape_from.startswith("given by the user as 13 x 29")


def test_flyback_columns_are_dropped_on_demand(stack: Path, counts: np.ndarray) -> None:
    for shape in ((13, 29), (13, 28)):
        scan = open_scan(stack, scan_shape=shape, drop_flyback=True)
        assert scan.scan_shape == (13, 28)
        assert np.array_equal(np.asarray(scan.data), counts[:, :28])
        assert [record.name for record in scan.history] == ["drop_flyback"]


def test_flyback_of_a_scan_with_known_shape(write_hspy, counts: np.ndarray) -> None:
    scan = open_scan(write_hspy(counts), drop_flyback=True)
    assert scan.scan_shape == (13, 28)
    assert scan.scan_axes[1].unit == "nm"


@pytest.mark.parametrize("shape", [(13, 30), (12, 29), (400,)])
def test_a_wrong_scan_shape_lists_the_right_ones(stack: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ScanShapeError, match="13 x 29"):
        open_scan(stack, scan_shape=shape)


@pytest.mark.parametrize("shape", [(), (13, 0), (1.5, 2), "13x29"])
def test_no_scan_shape_at_all(stack: Path, shape: object) -> None:
    with pytest.raises(ScanShapeError):
        open_scan(stack, scan_shape=shape)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", b"bytes.npy"])
def test_a_path_is_text(path: object) -> None:
    with pytest.raises(InputError, match="path"):
        open_scan(path)  # type: ignore[arg-type]


def test_a_reader_can_be_named(stack: Path) -> None:
    assert open_scan(stack, reader="npz").source.reader.startswith("npz")
    assert open_scan(stack, reader="rosetta").source.reader.startswith("rosetta")
    with pytest.raises(PluginError, match="Did you mean 'npz'"):
        open_scan(stack, reader="npzz")


class Eager:
    """A third-party reader that wants npy files."""

    name: ClassVar[str] = "theirs"

    def accepts(self, path: str) -> bool:
        return path.endswith(".npy")

    def read(self, path: str, options) -> Scan:
        if options.dataset == "broken":
            raise KeyError("no such thing")
        return Scan.from_array(np.ones((2, 3, 4, 5)))


@pytest.fixture
def with_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    load, names, built_in = home.load, home.names, home.is_built_in
    monkeypatch.setattr(home, "names", lambda group: (*names(group), "theirs"))
    monkeypatch.setattr(home, "load", lambda g, n: Eager if n == "theirs" else load(g, n))
    monkeypatch.setattr(home, "is_built_in", lambda g, n: n != "theirs" and built_in(g, n))


@pytest.mark.usefixtures("with_theirs")
def test_third_parties_are_asked_first(stack: Path) -> None:
    assert open_scan(stack).scan_shape == (2, 3)


@pytest.mark.usefixtures("with_theirs")
def test_any_failure_becomes_one_clear_error(stack: Path) -> None:
    with pytest.raises(ReadError, match=r"stack.npy: expected a readable file \(tried: theirs\)") as caught:
        open_scan(stack, dataset="broken")
    assert isinstance(caught.value.__cause__, KeyError)


def test_phantoms_open_like_files() -> None:
    scan = open_scan("demo:glass?scan=6x5&detector=16x12&precipitates=1")
    assert scan.scan_shape == (6, 5)
    assert scan.source.reader == "demo"
