"""Conversion: nothing is lost, whatever interrupts it, and what comes out is the same byte by byte."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import unmixel
from unmixel.core.errors import (
    DiskFullError,
    InputError,
    ReadError,
    RunExistsError,
    VerificationError,
)
from unmixel.io.writers.hyperspy_hdf5 import HyperspyHdf5
from unmixel.io.writers.sharded_zarr import ShardedZarr
from unmixel.pipeline.convert import convert
from unmixel.testing.writers import contents, example

SHAPE = (30, 14, 24, 20)
BUDGET = 32 * 16 * 24 * 20 * 4
"""For tiles of 16 patterns, at 4 bytes a value."""


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(5).poisson(3.0, SHAPE).astype(np.uint16)


@pytest.fixture
def file(tmp_path: Path, counts: np.ndarray) -> Path:
    np.save(tmp_path / "scan.npy", counts)
    return tmp_path / "scan.npy"


def bytes_of_rows(values: np.ndarray) -> str:
    rows = [hashlib.sha256(row.tobytes()).digest() for row in values]
    return hashlib.sha256(b"".join(rows)).hexdigest()


@pytest.mark.parametrize("suffix", [".zarr", ".zspy", ".hspy"])
def test_a_file_is_converted_and_read_back(file: Path, counts: np.ndarray, suffix: str) -> None:
    target = file.with_suffix(suffix)
    done = convert(file, target, budget=BUDGET, verify=True)
    assert len(done.layout.tiles) > 5
    back = unmixel.open(target)
    assert np.array_equal(np.asarray(back.data), counts)
    assert done.sha256 == bytes_of_rows(counts)
    assert done.n_bytes == counts.nbytes
    assert done.ratio == counts.nbytes / sum(len(b) for b in contents(target).values())
    assert not target.with_name(target.name + ".unfinished").exists()


def test_the_digest_does_not_depend_on_the_store(file: Path, tmp_path: Path) -> None:
    first = convert(file, tmp_path / "a.zarr", budget=BUDGET, verify=True).sha256
    assert convert(tmp_path / "a.zarr", tmp_path / "b.hspy", verify=True).sha256 == first
    assert convert(tmp_path / "b.hspy", tmp_path / "c.zspy", budget=2 * BUDGET, verify=True).sha256 == first


def test_a_scan_keeps_what_it_has_on_a_round(tmp_path: Path, counts: np.ndarray) -> None:
    scan = example(counts.astype(np.float32), 2)
    convert(scan, tmp_path / "a.zarr", budget=BUDGET, verify=True)
    convert(tmp_path / "a.zarr", tmp_path / "b.zspy", budget=BUDGET, verify=True)
    convert(tmp_path / "b.zspy", tmp_path / "c.hspy", budget=BUDGET, verify=True)
    back = unmixel.open(tmp_path / "c.hspy")
    assert back.scan_axes == scan.scan_axes
    assert back.history == scan.history
    assert back.data.dtype == np.float32


def test_whole_numbers_held_as_floats_are_stored_as_integers(tmp_path: Path, counts: np.ndarray) -> None:
    done = convert(example(counts.astype(np.float32), 2), tmp_path / "a.zarr", verify=True)
    assert done.layout.dtype == "<i4"
    fractions = convert(example(counts.astype(np.float32) / 3, 2), tmp_path / "b.zarr", verify=True)
    assert fractions.layout.dtype == "<f4"


@pytest.mark.parametrize("odd", [0.5, np.nan, -0.0, 2.0**31])
def test_one_value_that_is_not_whole_is_kept(tmp_path: Path, counts: np.ndarray, odd: float) -> None:
    values = counts.astype(np.float32)
    values[-1, -1, 3, 4] = odd
    done = convert(example(values, 2), tmp_path / "a.zarr", budget=BUDGET, verify=True)
    assert done.layout.dtype == "<f4"
    assert np.asarray(unmixel.open(tmp_path / "a.zarr").data).tobytes() == values.tobytes()
    straight = convert(example(values[::-1, ::-1], 2), tmp_path / "b.zarr", budget=BUDGET)
    assert straight.layout == done.layout  # within the same budget, too


def test_a_source_that_can_only_be_read_in_order(tmp_path: Path, counts: np.ndarray) -> None:
    np.savez_compressed(tmp_path / "scan.npz", data=counts)
    done = convert(tmp_path / "scan.npz", tmp_path / "a.zarr", budget=BUDGET, verify=True)
    assert done.layout.tile[1] >= SHAPE[1]  # whole rows
    assert done.sha256 == bytes_of_rows(counts)


def test_chunks_of_the_source_are_read_once_and_what_became_of_them_is_told(tmp_path: Path) -> None:
    import h5py

    counts = np.random.default_rng(1).poisson(3.0, (30, 20, 16, 16)).astype(np.uint16)
    with h5py.File(tmp_path / "scan.h5", "w") as source:
        source.create_dataset("data", data=counts, chunks=(5, 4, 16, 16))
    done = convert(tmp_path / "scan.h5", tmp_path / "a.zarr", budget=32 * 256 * 4 * 100)
    assert [t % s for t, s in zip(done.layout.tile, (5, 4), strict=True)] == [0, 0]
    assert "The source is stored by 5 x 4 positions" in done.notes[0]
    assert not any("were read up to" in note for note in done.notes)
    tight = convert(tmp_path / "scan.h5", tmp_path / "b.zarr", budget=32 * 256 * 4 * 4)
    assert any("read up to" in note for note in tight.notes)


def test_what_is_there_stays(file: Path, tmp_path: Path, counts: np.ndarray) -> None:
    target = tmp_path / "a.zarr"
    convert(file, target)
    before = contents(target)
    with pytest.raises(RunExistsError, match="--force"):
        convert(file, target)
    with pytest.raises(RunExistsError, match="nothing to resume"):
        convert(file, target, resume=True)
    assert contents(target) == before
    np.save(tmp_path / "other.npy", counts + 1)
    convert(tmp_path / "other.npy", target, force=True)
    assert np.array_equal(np.asarray(unmixel.open(target).data), counts + 1)
    file_target = tmp_path / "a.hspy"
    convert(file, file_target)
    convert(tmp_path / "other.npy", file_target, force=True, verify=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.hspy", "a.zarr", "other.npy", "scan.npy"]


@pytest.mark.parametrize(
    ("target", "budget", "said"),
    [
        ("a.xyz", BUDGET, "ends in"),
        ("no folder/a.zarr", BUDGET, "make the folder"),
        ("a.zarr", 1000, "give more memory"),
    ],
)
def test_what_cannot_be_is_refused(file: Path, target: str, budget: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        convert(file, file.parent / target, budget=budget)
    assert sorted(path.name for path in file.parent.iterdir()) == ["scan.npy"]


class Broken(BaseException):
    """What ends a conversion in the middle."""


def stopping(monkeypatch: pytest.MonkeyPatch, writer: type, after: int, error: BaseException) -> None:
    """Let the writer fail after some tiles, leaving half a file as a full disk does."""
    write, tiles = writer.write, []

    def spoiled(self, folder, layout, tile, values):
        tiles.append(tile)
        path = write(self, folder, layout, tile, values)
        if len(tiles) > after:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            raise error
        return path

    monkeypatch.setattr(writer, "write", spoiled)


@pytest.mark.parametrize(("suffix", "writer"), [(".zarr", ShardedZarr), (".hspy", HyperspyHdf5)])
def test_a_broken_conversion_is_refused_and_resumed(
    file: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, writer: type
) -> None:
    target, whole = file.with_suffix(suffix), file.with_name("whole" + suffix)
    convert(file, whole, budget=BUDGET)
    with monkeypatch.context() as patch:
        stopping(patch, writer, 4, Broken())
        with pytest.raises(Broken):
            convert(file, target, budget=BUDGET)
    assert not target.exists()
    for name in (target, f"{target}.unfinished"):
        with pytest.raises(ReadError, match=r"not finished.*--resume"):
            unmixel.open(name)
    with pytest.raises(RunExistsError, match="--resume"):
        convert(file, target, budget=BUDGET)
    done = convert(file, target, budget=3 * BUDGET, resume=True, verify=True)
    assert done.n_resumed >= 3
    assert done.layout == convert(file, whole, budget=BUDGET, force=True).layout
    assert contents(target) == contents(whole)


def test_a_damaged_tile_is_written_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = file.with_suffix(".zarr")
    with monkeypatch.context() as patch:
        stopping(patch, ShardedZarr, 6, Broken())
        with pytest.raises(Broken):
            convert(file, target, budget=BUDGET)
    lines = (target.parent / "scan.zarr.unfinished/journal.jsonl").read_text().splitlines()
    spoiled = target.parent / "scan.zarr.unfinished/store" / json.loads(lines[1])[1]
    content = bytearray(spoiled.read_bytes())
    content[len(content) // 2] ^= 1
    spoiled.write_bytes(content)
    with (target.parent / "scan.zarr.unfinished/journal.jsonl").open("a") as journal:
        journal.write('[5, "store.zarr/data/c')  # a line that was being written
    done = convert(file, target, resume=True, budget=BUDGET, verify=True)
    assert done.n_resumed == len(lines) - 1


def test_another_source_is_not_taken_for_the_same(
    file: Path, counts: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = file.with_suffix(".zarr")
    with monkeypatch.context() as patch:
        stopping(patch, ShardedZarr, 2, Broken())
        with pytest.raises(Broken):
            convert(file, target, budget=BUDGET)
    np.save(file, counts + 1)
    with pytest.raises(InputError, match="began with"):
        convert(file, target, resume=True, budget=BUDGET)
    np.save(file, counts)
    with pytest.raises(InputError, match="memory budget"):
        convert(file, target, resume=True, budget=BUDGET // 4)
    convert(file, target, force=True, verify=True)


def test_a_full_disk_is_told_and_nothing_is_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch, counts: np.ndarray
) -> None:
    target = file.with_suffix(".zarr")
    with monkeypatch.context() as patch:
        stopping(patch, ShardedZarr, 4, OSError(errno.ENOSPC, "No space left on device"))
        patch.setattr("unmixel.io.unfinished.Unfinished.free", lambda self: 1000)
        with pytest.raises(DiskFullError, match=r"kB of about .* are written.*are missing.*--resume") as told:
            convert(file, target, budget=BUDGET)
    assert isinstance(told.value, OSError)
    assert convert(file, target, budget=BUDGET, resume=True, verify=True).n_resumed >= 3


def test_other_errors_are_not_taken_for_a_full_disk(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping(monkeypatch, ShardedZarr, 1, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(OSError, match="Input/output"):
        convert(file, file.with_suffix(".zarr"), budget=BUDGET)


def test_verification_finds_a_bit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = ShardedZarr.write

    def wrong(self, folder, layout, tile, values):
        changed = values.copy()
        changed[-1, -1, 0, 0] ^= tile == 3
        return write(self, folder, layout, tile, changed)

    monkeypatch.setattr(ShardedZarr, "write", wrong)
    with pytest.raises(VerificationError, match="differs from the source in the tile that begins at"):
        convert(file, file.with_suffix(".zarr"), budget=BUDGET, verify=True)
    assert not file.with_suffix(".zarr").exists()


SLOW = """
import sys, time
from unmixel.io.writers.{module} import {writer} as Writer
from unmixel.pipeline.convert import convert
write = Writer.write
def slowly(self, *given):
    time.sleep(0.05)
    return write(self, *given)
Writer.write = slowly
convert(sys.argv[1], sys.argv[2], budget={budget})
"""


@pytest.mark.parametrize(
    ("suffix", "module", "writer", "kind"),
    [
        (".zarr", "sharded_zarr", "ShardedZarr", signal.SIGKILL),
        (".hspy", "hyperspy_hdf5", "HyperspyHdf5", signal.SIGKILL),
        (".zspy", "hyperspy_zarr", "HyperspyZarr", signal.SIGTERM),
    ],
)
def test_a_killed_process_loses_nothing(file: Path, suffix: str, module: str, writer: str, kind: int) -> None:
    target, whole = file.with_suffix(suffix), file.with_name("whole" + suffix)
    code = SLOW.format(module=module, writer=writer, budget=BUDGET)
    child = subprocess.Popen([sys.executable, "-c", code, file, target], stderr=subprocess.DEVNULL)
    journal = target.parent / f"{target.name}.unfinished/journal.jsonl"
    try:
        for _ in range(1500):
            if journal.is_file() and journal.read_text().count("\n") >= 3:
                break
            time.sleep(0.02)
        else:
            pytest.fail("nothing was written in 30 s")
        child.send_signal(kind)
        assert child.wait(30) != 0
    finally:
        child.kill()
        child.wait()
    with pytest.raises(ReadError, match="not finished"):
        unmixel.open(target)
    done = convert(file, target, budget=BUDGET, resume=True, verify=True)
    assert 3 <= done.n_resumed < len(done.layout.tiles)
    convert(file, whole, budget=BUDGET)
    assert contents(target) == contents(whole)


def test_a_second_process_is_refused(file: Path) -> None:
    target = file.with_suffix(".zarr")
    from unmixel.io.unfinished import Unfinished

    with Unfinished(target).claimed(), pytest.raises(RunExistsError, match="Another process"):
        convert(file, target)


FULL = """
import sys, subprocess
from pathlib import Path
import unmixel
from unmixel.core.errors import DiskFullError
from unmixel.testing.writers import contents
source, folder, suffix, small, budget = sys.argv[1:]
target = Path(folder) / ("scan" + suffix)
def sized(size):
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
sized("size=" + small)
try:
    unmixel.convert(source, target, budget=int(budget))
except DiskFullError as error:
    print(error)
else:
    print("it fitted")
assert not target.exists()
sized("remount,size=50m")
done = unmixel.convert(source, target, budget=int(budget), resume=True, verify=True)
print(done.n_resumed, len(done.layout.tiles))
unmixel.convert(source, Path(folder) / ("whole" + suffix), budget=int(budget))
print(contents(target) == contents(Path(folder) / ("whole" + suffix)))
"""


@pytest.mark.parametrize(
    ("suffix", "share"), [(".zarr", 0.6), (".zspy", 0.6), (".hspy", 0.6), (".hspy", 1.6)]
)
def test_a_disk_that_is_really_full(file: Path, tmp_path: Path, suffix: str, share: float) -> None:
    """On a small disk of its own, where the system lets us make one; a share of 1.6 is full as the parts are joined."""
    folder = tmp_path / "disk"
    folder.mkdir()
    trial = ["unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    try:
        if subprocess.run(trial, capture_output=True, check=False).returncode:
            pytest.skip("no disk can be mounted here")
    except OSError:
        pytest.skip("no unshare here")
    convert(file, tmp_path / f"whole{suffix}", budget=BUDGET)
    pages = {name: -(-len(b) // 4096) for name, b in contents(tmp_path / f"whole{suffix}").items()}
    data = sum(n for name, n in pages.items() if re.search(r"data/(c/)?\d|^$", name))
    small = str(4096 * int(sum(pages.values()) - data * (1 - share) + 8))
    words = [*trial[:3], sys.executable, "-c", FULL, str(file), str(folder), suffix, small, str(BUDGET)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told, resumed, same_bytes = ran.stdout.strip().splitlines()
    assert "are missing" in told
    n_resumed, n_tiles = map(int, resumed.split())
    assert 0 < n_resumed < n_tiles or share > 1
    assert same_bytes == "True"
