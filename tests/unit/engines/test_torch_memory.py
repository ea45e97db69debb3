"""A device whose memory runs out: the pass is done again with smaller blocks, and refused only when none are left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.engines.blocks import BlockReader
from unmixel.engines.lazy import wrap
from unmixel.engines.walk import Found, Task

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")

from unmixel.engines.torch_engine import TorchEngine  # noqa: E402


@dataclass(frozen=True, eq=False)
class Hungry(Task):
    """Sums of positions and pixels; runs out of memory where a block has more rows than `most`."""

    most: int
    tried: list[int]

    def __call__(self, engine, block, *along):
        rows = block.values.shape[0]
        self.tried.append(rows)
        if rows > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        values = engine.asarray(block.values, "float64")
        return Found((values.sum(axis=1),), (values.sum(axis=0),))


def blocks():
    data = np.random.default_rng(0).integers(0, 9, (64, 50)).astype(np.uint16)
    engine = TorchEngine("cpu", device_budget=10**6)
    resident = engine.resident(BlockReader(wrap(data, (2, 50)), 1, 20_000))
    return data, engine, resident


def test_smaller_blocks_find_the_same() -> None:
    data, engine, resident = blocks()
    task = Hungry(8, [])
    found = engine.walk(task, resident)
    assert max(task.tried) > 8, "large blocks were tried first"
    np.testing.assert_array_equal(engine.to_host(found.here[0]), data.sum(axis=1))
    np.testing.assert_array_equal(engine.to_host(found.sums[0]), data.sum(axis=0))
    task.tried.clear()
    engine.walk(task, resident)
    assert max(task.tried) <= 8, "blocks stay small"


def test_what_never_fits_is_refused_with_advice() -> None:
    _, engine, resident = blocks()
    with pytest.raises(InputError, match="give a lower TorchEngine"), engine.threads():
        engine.walk(Hungry(0, []), resident)
