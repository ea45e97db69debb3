"""The dask engine: workers compute, memory and addresses are checked before anything starts, data never travel."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

import dask
import numpy as np
import pytest

import unmixel
from unmixel import NMF
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.engines.blocks import BlockReader
from unmixel.engines.lazy import wrap
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.model import settings_of
from unmixel.factorize.products import products_of

distributed = pytest.importorskip("distributed", reason="an extra: pip install 'unmixel[scale]'")

from unmixel.engines.cluster import Cluster  # noqa: E402
from unmixel.engines.dask_engine import DaskEngine  # noqa: E402
from unmixel.engines.remote_blocks import RemoteBlocks  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@contextmanager
def workers_here(n_workers: int):
    """Yield a client of workers that are threads of this process: quick to start."""
    with (
        distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=False,
            memory_limit="4GB",
            dashboard_address=":0",
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    with workers_here(2) as client:
        yield client


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(0).poisson(5, (12, 11, 40)).astype(np.uint16)


def test_passes_are_those_of_numpy(client, data) -> None:
    flat = Matrix.from_array(data.reshape(132, 40), scan_shape=(12, 11))
    lazy = Matrix(wrap(data, (3, 4, 40)), flat.scan_grid, flat.pattern_grid, np.ones(132), np.ones(40))
    told = []
    engine = DaskEngine(client, progress=lambda done, of: told.append((done, of)))
    here, there = (products_of(lazy, one, dtype="float32", budget=20_000) for one in (NumpyEngine(1), engine))
    rng = np.random.default_rng(1)
    rows, maps = rng.random((3, 40)).astype("f4"), rng.random((3, 132)).astype("f4")
    assert there.norm2 == here.norm2
    assert told[-1] == (8, 8)
    np.testing.assert_array_equal(there.with_patterns(rows), here.with_patterns(rows))
    np.testing.assert_allclose(there.with_maps(maps), here.with_maps(maps), rtol=1e-5)
    assert there.misfit2(maps, rows) == pytest.approx(here.misfit2(maps, rows), rel=1e-6)
    assert isinstance(there.reader, RemoteBlocks)
    assert there.reader.kept_as.startswith("on 2 workers")


@dataclass(frozen=True)
class Noting:
    """Rows of counts that note which of them was read when."""

    shape: tuple[int, ...] = (48, 4, 40)
    chunks: tuple[int, ...] = (1, 4, 40)
    dtype: ClassVar[np.dtype] = np.dtype("uint16")
    ndim: int = 3
    read: ClassVar[list[int]] = []

    def __getitem__(self, key):
        self.read.append(key[0].start)
        return np.ones((key[0].stop - key[0].start, *self.shape[1:]), self.dtype)[(slice(None), *key[1:])]

    def __dask_tokenize__(self):
        return "noting"


def test_a_worker_reads_from_the_beginning_to_the_end() -> None:
    """What is read ahead must be what comes next: dask alone begins with what was asked for last."""
    flat = Matrix.from_array(np.ones((192, 40), np.uint16), scan_shape=(48, 4))
    lazy = replace(flat, data=wrap(Noting(), Noting.chunks))
    with workers_here(1) as client:
        products = products_of(lazy, DaskEngine(client), dtype="float32", budget=4000)
        products.with_patterns(np.ones((1, 40), "f4"))
        Noting.read.clear()
        products.with_patterns(np.ones((1, 40), "f4"))
    order = np.array(Noting.read)
    assert set(order) == set(range(48))
    # two threads read: neighbours may change places
    assert np.diff(order).min() >= -1


@pytest.mark.slow
def test_workers_compute_with_torch(client, data) -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")
    flat = Matrix.from_array(data.reshape(132, 40), scan_shape=(12, 11))
    lazy = Matrix(wrap(data, (3, 4, 40)), flat.scan_grid, flat.pattern_grid, np.ones(132), np.ones(40))
    settings = {"max_iter": 3, "tol": 0, "sketch_sweeps": 4, "memory_budget": 20_000}
    here = NMF(2, engine=NumpyEngine(1), **settings).fit(lazy)
    engine = DaskEngine(client, compute="torch")
    assert isinstance(engine.asarray([1.0]), torch.Tensor)
    there = NMF(2, engine=engine, **settings).fit(lazy)
    assert there.reconstruction_err_ == pytest.approx(here.reconstruction_err_, rel=1e-5)


def test_what_is_refused_there_is_told_here(client) -> None:
    data = wrap(np.full((4, 5, 6), -1.0), (2, 5, 6))
    with pytest.raises(InputError, match="negative values"):
        NMF(1, engine=DaskEngine(client), scan_shape=(4, 5)).fit(data.reshape(20, 6))


def test_data_in_memory_are_refused_or_spilled(client, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("unmixel.engines.remote_blocks.MOST_SENT", 1000)
    data = np.random.default_rng(0).poisson(5, (30, 40)).astype(np.uint16)
    with pytest.raises(InputError, match="spill"):
        NMF(2, engine=DaskEngine(client)).fit(data)
    one = NMF(2, max_iter=3, engine=DaskEngine(client, spill=str(tmp_path))).fit(data)
    two = NMF(2, max_iter=3).fit(data)
    np.testing.assert_allclose(one.components_, two.components_, rtol=1e-3, atol=1e-5)


def test_memory_is_checked_before_a_pass(client, data) -> None:
    matrix = Matrix.from_array(data.reshape(132, 40))
    products = products_of(matrix, DaskEngine(client), dtype="float32", budget=4 * 10**9)
    with pytest.raises(InputError, match=r"memory of the workers: expected 4\.40 GB"):
        _ = products.norm2


def test_nobody_at_the_address(monkeypatch) -> None:
    monkeypatch.setattr("unmixel.engines.cluster.WAIT_S", 1)
    with pytest.raises(InputError, match="scheduler"):
        DaskEngine(scheduler="tcp://127.0.0.1:9").resident(BlockReader(np.ones((3, 4)), 1))


@pytest.mark.parametrize("given", [{"workers": 0}, {"memory_limit": 0}, {"compute": "abacus"}])
def test_parameters_are_checked(given) -> None:
    with pytest.raises(InputError, match="DaskEngine"):
        DaskEngine(**given)


def test_records_do_not_tell_where_it_ran() -> None:
    engine = DaskEngine(scheduler="tcp://a-host:8786", spill="/a/place")
    assert settings_of(engine) == {"name": "dask", "workers": None, "memory_limit": None, "compute": "numpy"}
    assert "host" not in repr(engine)
    assert copy.deepcopy(engine) is engine


def test_the_workers_are_told(client) -> None:
    assert Cluster(client).told.startswith("2 dask workers; ")


def test_other_dask_work_of_the_process_keeps_its_scheduler(data, tmp_path) -> None:
    """Clients that are made defaults and close out of turn leave a process in which no dask array can be computed."""
    np.save(tmp_path / "scan.npy", data)
    before = dask.config.get("scheduler", None)
    with workers_here(1) as other:
        client = Cluster.connected(other.scheduler.address).client
        NMF(2, max_iter=2, engine=DaskEngine(client)).factorize(unmixel.open(tmp_path / "scan.npy"))
        assert dask.config.get("scheduler", None) == before
        client.close()
    assert dask.config.get("scheduler", None) == before
