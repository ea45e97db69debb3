"""Walks through blocks: what is found does not depend on who looks, tasks survive the journey, data stay at home."""

from __future__ import annotations

import pickle
import threading
from dataclasses import dataclass

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError, ReadError, WriteError
from unmixel.engines.blocks import BlockReader
from unmixel.engines.lazy import wrap
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.engines.remote_blocks import Home, RemoteBlocks
from unmixel.engines.shipping import Parcel, opened, packed
from unmixel.engines.walk import Found, Task, added
from unmixel.io.arrays import lazy


@dataclass(frozen=True, eq=False)
class Look(Task):
    """Rows of sums over pixels beside what lies along, and sums over positions."""

    rows: np.ndarray

    def __call__(self, engine, block, *along):
        values = np.asarray(block.values, np.float64)
        return Found((np.stack([values @ self.rows, along[0]]),), (values.sum(axis=0), values.sum()))


def scan(shape, chunks, seed: int = 0):
    return wrap(np.random.default_rng(seed).integers(0, 99, shape).astype(np.uint16), chunks)


@settings(max_examples=20, deadline=None)
@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 9),
    tile=st.tuples(st.integers(1, 7), st.integers(1, 9)),
    budget=st.sampled_from([2_000, 20_000, 10**6]),
    threads=st.integers(1, 3),
)
def test_every_position_is_seen_once_whatever_the_blocks(rows, columns, tile, budget, threads) -> None:
    data = scan((rows, columns, 5), (min(tile[0], rows), min(tile[1], columns), 5))
    flat = np.asarray(data).reshape(-1, 5).astype(float)
    along = np.arange(rows * columns, dtype=float)
    task = Look(np.arange(5.0))
    found = NumpyEngine(threads).walk(task, BlockReader(data, 2, budget), (along,))
    np.testing.assert_allclose(found.here[0], [flat @ task.rows, along])
    np.testing.assert_allclose(found.sums[0], flat.sum(axis=0))
    assert float(found.sums[1]) == flat.sum()


def test_sums_of_runs_are_sums_of_all() -> None:
    assert added(None, (1, 2)) == (1, 2)
    one, two = added((np.ones(2), 1.0), (np.ones(2), 2.0))
    assert one.tolist() == [2, 2]
    assert two == 3


def test_runs_of_a_worker_hold_every_block_once() -> None:
    data = scan((9, 8, 5), (2, 3, 5))
    reader = BlockReader(data, 2, 3_000)
    blocks = RemoteBlocks(reader, cluster=None, engines=(NumpyEngine(1), NumpyEngine(1)))
    assert [i for run in blocks.runs for i in run] == list(range(len(reader)))
    home = opened(packed(Home(reader, NumpyEngine(1))), None)
    task, along = Look(np.arange(5.0)), np.arange(72.0)
    total = None
    for run in blocks.runs:
        positions = np.concatenate([reader.positions(i) for i in run])
        found = home.look(Parcel(packed(task)), [run], [Parcel(packed((along[positions],)))])
        np.testing.assert_array_equal(found.here[0][1], along[positions])
        total = added(total, found.sums)
    np.testing.assert_array_equal(total[0], np.asarray(data).reshape(-1, 5).sum(axis=0))


def test_a_memory_map_travels_as_its_place(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.arange(200_000).reshape(1000, 200))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    for view in (mapped, mapped[3:900:2, 5:], mapped.T, wrap(mapped, (100, 200))):
        data = packed(view, most=1000)
        assert len(data) < 5_000
        np.testing.assert_array_equal(np.asarray(opened(data, None)), np.asarray(view))


def test_hdf5_travels_as_its_place(tmp_path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out.create_dataset("group/data", data=np.arange(600).reshape(10, 60), chunks=(2, 60))
    with h5py.File(tmp_path / "a.h5", "r") as file:
        there = opened(packed(lazy(file["group/data"], 1)), None)
        np.testing.assert_array_equal(np.asarray(there), np.arange(600).reshape(10, 60))


def test_data_in_memory_do_not_travel() -> None:
    with pytest.raises(InputError, match="in the memory of this process"):
        packed({"data": np.zeros(2000)}, most=1000)
    with pytest.raises(InputError, match="only this process can read"):
        packed(threading.Lock())
    assert opened(packed(np.zeros(2000)), None).size == 2000


def test_a_parcel_is_opened_once_and_only_by_the_same_version() -> None:
    parcel = pickle.loads(pickle.dumps(Parcel(packed([1, 2]))))
    assert parcel.open(None) is parcel.open(None)
    with pytest.raises(InputError, match="on every worker"):
        Parcel(packed(1), version="0.0.0").open(None)


@pytest.mark.parametrize(
    "error",
    [
        InputError("what", expected="this", got="that", hint="mend it"),
        ReadError("file", expected="this", got="that"),
        WriteError("file", "full", hint="make room"),
    ],
)
def test_errors_come_home_with_their_words(error) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__
