"""``unmixel convert``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import unmixel
from unmixel.cli.convert import bytes_of
from unmixel.cli.main import INTERRUPTED, REFUSED, app
from unmixel.core.errors import InputError

COUNTS = np.random.default_rng(0).poisson(2.0, (6 * 9, 12, 10)).astype(np.uint16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "stack.npy", COUNTS)
    return tmp_path / "stack.npy"


def ran(*words: object):
    return CliRunner().invoke(app, ["convert", *map(str, words)])


def test_it_tells_ratio_speed_and_checksum(file: Path) -> None:
    result = ran(file, file.with_suffix(".zarr"), "--scan-shape", "6x9", "--verify")
    assert result.exit_code == 0, result.output
    assert "ratio" in result.stdout
    assert "MB/s" in result.stdout
    assert "Verified bit by bit; sha256" in result.stdout
    assert "convert\n" in result.stderr
    assert "verify\n" in result.stderr
    back = unmixel.open(file.with_suffix(".zarr"))
    assert np.array_equal(np.asarray(back.data), COUNTS.reshape(6, 9, 12, 10))


def test_json_and_flyback(file: Path) -> None:
    result = ran(
        file, file.with_suffix(".hspy"), "--scan-shape", "6x9", "--drop-flyback", "--json", "--memory", "50MB"
    )
    told = json.loads(result.stdout)
    assert told["bytes_in_memory"] == 6 * 8 * 12 * 10 * 2
    assert told["ratio"] == told["bytes_in_memory"] / told["bytes_stored"]
    assert told["layout"]["shape"] == [6, 8, 12, 10]
    assert unmixel.open(file.with_suffix(".hspy")).history[0].name == "drop_flyback"


def test_what_is_there_is_replaced_only_with_force(file: Path) -> None:
    target = file.with_suffix(".zspy")
    assert ran(file, target).exit_code == 0
    refused = ran(file, target)
    assert refused.exit_code == REFUSED
    assert "--force" in refused.stderr
    assert ran(file, target, "--force").exit_code == 0


def test_ctrl_c_says_how_to_go_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unmixel.io.writers.sharded_zarr import ShardedZarr

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ShardedZarr, "write", stopped)
        result = ran(file, file.with_suffix(".zarr"))
    assert result.exit_code == INTERRUPTED
    assert "go on with --resume" in result.stderr
    assert ran(file, file.with_suffix(".zarr"), "--resume").exit_code == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [("1GB", 10**9), ("500mb", 5 * 10**8), ("1.5 kB", 1500), ("2e9", 2 * 10**9), ("3t", 3 * 10**12)],
)
def test_sizes(text: str, value: int) -> None:
    assert bytes_of(text) == value


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1..2MB", "ten", "0"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--memory"):
        bytes_of(text)
