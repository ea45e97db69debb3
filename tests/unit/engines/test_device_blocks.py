"""Blocks on a device: the same values, kept where they fit, narrow where that loses nothing."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from unmixel.engines.blocks import BlockReader
from unmixel.engines.lazy import wrap

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")

from unmixel.engines.torch_engine import TorchEngine  # noqa: E402

SCAN, PIXELS = (13, 29), 62


def counts(top: int = 300, dtype="uint16") -> np.ndarray:
    return np.random.default_rng(3).integers(0, top + 1, (*SCAN, PIXELS)).astype(dtype)


def blocks_of(data, budget: int, engine=None, host_budget: int = 400_000):
    engine = engine or TorchEngine("cpu", device_budget=budget)
    return engine.resident(BlockReader(data, 2, host_budget))


def gathered(blocks) -> np.ndarray:
    rows = np.full((SCAN[0] * SCAN[1], PIXELS), np.nan)
    for block in blocks:
        assert np.isnan(rows[block.positions]).all(), "every position once"
        rows[block.positions] = block.values.to(torch.float64).numpy()
    return rows.reshape(*SCAN, PIXELS)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("budget", [0, 20_000, 100_000, 10**9])
def test_the_values_are_those_of_the_data_in_every_pass(budget: int, lazy: bool) -> None:
    data = counts()
    blocks = blocks_of(wrap(data, (4, 11, -1)) if lazy else data, budget)
    for _ in range(2):
        np.testing.assert_array_equal(gathered(blocks), data)


def test_blocks_that_fit_are_read_once() -> None:
    blocks = blocks_of(counts(), 10**9)
    gathered(blocks)
    loads = blocks.reader.loads
    gathered(blocks)
    assert blocks.reader.loads == loads == len(blocks.reader)
    assert blocks.kept_as == "all blocks on cpu, without loss, as uint16"


def test_blocks_that_do_not_fit_are_sent_every_pass() -> None:
    blocks = blocks_of(counts(), 0)
    gathered(blocks)
    gathered(blocks)
    assert blocks.reader.loads == 2 * len(blocks.reader)
    assert blocks.kept_as == "the array that was given"


def test_as_many_are_kept_as_fit() -> None:
    data = counts()
    blocks = blocks_of(data, data.nbytes // 2)
    gathered(blocks)
    first = blocks.reader.loads
    gathered(blocks)
    kept = 2 * first - blocks.reader.loads
    assert 0 < kept < first
    assert blocks.kept_as.startswith(f"{kept} of {len(blocks)} blocks on cpu")
    held = sum(block.values.nbytes for block in blocks._kept.values())
    assert held <= data.nbytes // 2


def test_a_device_works_on_several_blocks_of_the_file_at_a_time() -> None:
    blocks = blocks_of(counts(), 32 * 4 * 100 * PIXELS, host_budget=200_000)
    assert 1 < len(blocks) < len(blocks.reader)
    assert max(len(block.positions) for block in blocks) <= 110


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (counts(200, "float32"), "uint8"),
        (counts(60_000, "float64"), "uint16"),
        (counts(60_000, "uint32"), "uint16"),
        (counts(255, "uint64"), "uint8"),
        (counts(300, "int16"), "uint16"),
        (counts(1, "bool"), "bool"),
        (counts(70_000, "int32"), "int32"),
        (counts(200, "float32") + np.float32(0.5), "float32"),
        (counts(200, "int64") - 1, "int64"),
        (np.where(counts() == 7, np.nan, counts()), "float64"),
        (np.where(counts() == 7, np.inf, counts()), "float64"),
    ],
)
def test_counts_are_as_narrow_as_they_can_be(data, kind: str) -> None:
    blocks = blocks_of(data, 10**9)
    np.testing.assert_array_equal(gathered(blocks), data)
    assert blocks.kept_as.endswith(f"as {kind}")


def test_narrow_and_wide_blocks_become_one() -> None:
    data = counts(200)
    data[6, 5] = 65_535  # a single block needs 16 bits
    blocks = blocks_of(data, 10**9, host_budget=100_000)
    assert len(blocks.reader) > 3
    np.testing.assert_array_equal(gathered(blocks), data)
    narrow = blocks_of(data.astype("float32"), 10**9, host_budget=100_000)
    np.testing.assert_array_equal(gathered(narrow), data)


class _Gpu:
    """What a GPU is asked for, answered by the CPU: orders are carried out at once and written down."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.pinned = self.awaited = 0
        cuda = SimpleNamespace(
            Stream=lambda place: self, current_stream=lambda place: self, stream=lambda stream: self
        )
        self.torch = SimpleNamespace(**vars(torch) | {"cuda": cuda, "empty": self._empty})

    def _empty(self, *shape, pin_memory: bool = False, **kwargs):
        self.pinned += pin_memory
        return torch.empty(*shape, **kwargs)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        return None

    def record_event(self):
        self.calls.append(threading.current_thread().name)
        return self

    def wait_event(self, event) -> None:
        assert event is self

    def synchronize(self) -> None:
        self.awaited += 1


class _OnGpu(TorchEngine):
    on_gpu = True


@pytest.mark.parametrize("budget", [20_000, 100_000, 10**9])
@pytest.mark.parametrize("data", [counts(), counts(200, ">u2"), wrap(counts(200, "f4"), (4, 11, -1))])
def test_a_gpu_is_fed_from_another_thread(monkeypatch: pytest.MonkeyPatch, data, budget: int) -> None:
    # no test of a GPU: only of the order of what is asked of it
    gpu = _Gpu()
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: None)
    blocks = blocks_of(data, 0, _OnGpu("cpu", device_budget=budget), host_budget=100_000)
    monkeypatch.setattr(type(blocks), "_torch", gpu.torch)
    for _ in range(3):
        np.testing.assert_array_equal(gathered(blocks), np.asarray(data))
    assert {name.rsplit("_", 1)[0] for name in gpu.calls} == {"unmixel-send"}
    orders = len(gpu.calls) - gpu.pinned
    assert gpu.pinned - gpu.awaited <= orders, "little memory is pinned at a time"
    assert orders == len(blocks) + 2 * (len(blocks) - len(blocks._kept))


def test_reading_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = _Gpu()
    blocks = blocks_of(counts(), 0, _OnGpu("cpu", device_budget=10_000), host_budget=100_000)
    monkeypatch.setattr(type(blocks), "_torch", gpu.torch)

    def broken(i: int):
        raise OSError("the disk is gone")

    monkeypatch.setattr(blocks.reader, "load", broken)
    with pytest.raises(OSError, match="disk is gone"):
        blocks.load(0)
