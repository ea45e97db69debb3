"""Whatever is wrong with a file, there is one error: it names the file, the format tried and what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unmixel
from unmixel.core.errors import InputError, ReadError
from unmixel.io.diagnose import signature, unreadable

SUFFIXES = (
    "mib", "blo", "hspy", "hdf5", "zspy", "npz", "npy", "h5", "dm3", "dm4", "emd", "mrc", "bcf", "prz",
    "app5", "nxs", "mat", "tif", "xyz", "",
)  # fmt: skip


def error_of(path: Path | str) -> ReadError:
    with pytest.raises(ReadError) as caught:
        unmixel.open(path)
    error = caught.value
    assert Path(path).name in str(error)
    assert "expected a readable file" in str(error)
    assert "What to do: " in str(error)
    assert len(str(error)) < 800
    return error


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(b"")
    assert "an empty file (0 bytes)" in str(error_of(tmp_path / f"a.{suffix}"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_text_file_renamed(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_text("This is a letter, and no scan.\n" * 200)
    assert "got a text file" in str(error_of(tmp_path / f"a.{suffix}"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_noise(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(b"\x00" + np.random.default_rng(1).bytes(6000))
    error = error_of(tmp_path / f"a.{suffix}")
    if suffix not in ("xyz", ""):
        assert "tried: " in str(error)
        assert error.__cause__ is not None


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0.02, 0.97))
def test_a_file_cut_anywhere(tmp_path: Path, write_hspy, counts: np.ndarray, share: float) -> None:
    np.savez(tmp_path / "s.npz", data=counts[:3])
    np.save(tmp_path / "s.npy", counts[:3])
    for whole in (tmp_path / "s.npz", tmp_path / "s.npy", write_hspy(counts[:3])):
        content = whole.read_bytes()
        cut = tmp_path / f"cut{whole.suffix}"
        cut.write_bytes(content[: int(len(content) * share)])
        assert "ends too early" in str(error_of(cut))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    np.save(tmp_path / "glass.npy", np.ones((2, 3, 4, 5)))
    assert "perhaps 'glass.npy' is meant" in str(error_of(tmp_path / "glas.npy"))
    assert "check the path" in str(error_of(tmp_path / "something else.mib"))
    assert "its folder is missing" in str(error_of(tmp_path / "no folder" / "a.mib"))


def test_a_folder(tmp_path: Path) -> None:
    assert "this folder holds none" in str(error_of(tmp_path))
    for number in range(7):
        (tmp_path / f"{number}.mib").write_bytes(b"x")
    assert "give one of its files: 0.mib, 1.mib, 2.mib, 3.mib, 4.mib and 2 more" in str(error_of(tmp_path))


@pytest.mark.parametrize("suffix", ["zspy", "zarr"])
def test_a_folder_that_should_be_a_store(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").mkdir()
    assert "copy the whole folder again" in str(error_of(tmp_path / f"a.{suffix}"))


def test_a_zip_archive_names_what_is_inside(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("1.mib", "1.hdr", "2.mib", "3.mib", "4.mib"):
            archive.writestr(name, "x")
    text = str(error_of(tmp_path / "a.zip"))
    assert "a zip archive of 5 files" in text
    assert "open one of its files: 1.mib, 2.mib, 3.mib and 1 more" in text


def test_a_description_sends_to_the_data(tmp_path: Path) -> None:
    (tmp_path / "run1_info.txt").write_text("Frames = 12\n")
    (tmp_path / "run1_movie.mrc").write_bytes(b"\x00" * 2000)
    (tmp_path / "run2_movie.mrc").write_bytes(b"\x00" * 2000)
    assert "open run1_movie.mrc beside it" in str(error_of(tmp_path / "run1_info.txt"))


def test_an_unknown_format_says_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"\x00\x01\x02" * 100)
    text = str(error_of(tmp_path / "a.xyz"))
    assert "unknown format" in text
    assert ".zspy" in text


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ImportError("no", name="sparse"), "pip install sparse"),
        (NotImplementedError("raw bits"), "another variant"),
        (OSError("truncated file: eof = 5"), "ends too early"),
        (KeyError(), "KeyError: KeyError"),
        (RuntimeError("a\nb" + "c" * 900), "RuntimeError: a b"),
    ],
)
def test_what_failures_say(tmp_path: Path, cause: Exception, words: str) -> None:
    (tmp_path / "a.mib").write_bytes(b"\x00\x01")
    error = unreadable(str(tmp_path / "a.mib"), ("mib",), cause)
    assert isinstance(error, InputError)
    assert words in str(error)
    assert len(str(error)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89HDF\r\n\x1a\n123", "HDF5"),
        (b"PK\x03\x04", "zip"),
        (b"\x93NUMPY\x01\x00", "NumPy npy"),
        (b"plain words", "text"),
        ("größer".encode(), "text"),
        (b"\xff\xfe\xfd\xfc" * 5, ""),
        (b"words\x00", ""),
        (b"", ""),
    ],
)
def test_signatures(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "a").write_bytes(content)
    assert signature(str(tmp_path / "a")) == kind
    assert signature(str(tmp_path / "none")) == ""
