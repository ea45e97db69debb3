"""Data that stay on disk: the same result however they are stored, and nothing done twice after an interruption."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import fields, replace

import dask.array as da
import numpy as np
import pytest

import unmixel
from unmixel import NMF, Resolution, Scan, Sparse, SpotShape
from unmixel.core.errors import InputError
from unmixel.engines import blocks
from unmixel.engines.lazy import wrap
from unmixel.io import rosetta
from unmixel.testing import metrics, phantoms

SCAN, DETECTOR = (13, 29), (31, 26)


class Source:
    """A source that counts passes, and fails at a given one."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.chunks = (1, *data.shape[1:])
        self.rows, self.fails, self.lock = 0, None, threading.Lock()

    def __getitem__(self, key):
        with self.lock:
            # the row that a pass begins with, or one in its middle
            if self.fails is not None and self.rows >= self.fails * self.shape[0]:
                raise KeyboardInterrupt
            values = self.data[key]
            self.rows += len(values)
        return values

    def __dask_tokenize__(self):
        return id(self)

    @property
    def passes(self):
        return self.rows / self.shape[0]


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(3)
    maps = rng.gamma(0.5, 60.0, (np.prod(SCAN), 3))
    patterns = rng.gamma(0.3, 1.0, (3, np.prod(DETECTOR)))
    patterns /= patterns.sum(axis=1, keepdims=True)
    return rng.poisson(20 * maps @ patterns).astype(np.uint16).reshape(*SCAN, *DETECTOR)


class Kept:
    """The last states that a fit told, as they would be read from a file, and how many passes they hold."""

    def __init__(self, source):
        self.source, self.passes, self.sketch, self.state = source, 0, None, None

    def on_sketch(self, state):
        self.sketch, self.passes = replace(state, **self._copies(state)), self.source.passes

    def on_sweep(self, state):
        self.state, self.passes = replace(state, **self._copies(state)), self.source.passes

    def _copies(self, state):
        values = {item.name: getattr(state, item.name) for item in fields(state)}
        return {key: np.array(value) for key, value in values.items() if isinstance(value, np.ndarray)}


def stored(counts):
    """Return a scan on its source, one row of positions a chunk."""
    source = Source(counts)
    return Scan.from_array(wrap(source, counts.shape), n_pattern_axes=2), source


BUDGET = 20 * SCAN[1] * DETECTOR[0] * DETECTOR[1]
"""A sixth of it takes a row of positions, half of it not the whole scan at 8 bits."""

CASES = {
    "plain": ({}, 0),
    "coupled patterns": ({"constraints": (SpotShape(1.5),)}, 0),
    # a sweep about an anchor that went wrong takes up to four passes, and is done again as a whole
    "coupled maps": ({"constraints": (Resolution(2.0),)}, 3),
    "penalty": ({"constraints": (Resolution(2.0), Sparse(1.0))}, 3),
    # the first state comes after the norm of the data and the first sweep
    "no sketch": ({"sketch_sweeps": 0, "start": "random"}, 1),
    "start from the sketch": ({"sketch_sweeps": 0}, 1),
}


@pytest.mark.parametrize(
    ("settings", "repeated", "part"),
    [
        *[pytest.param(*case, 0.0, id=f"{name}, between passes") for name, case in CASES.items()],
        pytest.param(*CASES["plain"], 0.6, id="plain, within a pass"),
    ],
)
def test_interrupted_at_any_pass_it_goes_on_and_repeats_none(counts, settings, repeated, part):
    model = NMF(3, **{"sketch_sweeps": 5, "max_iter": 2, "tol": 0.0, "memory_budget": BUDGET, **settings})
    scan, source = stored(counts)
    wanted = model.factorize(scan)
    assert "every pass reads" in wanted.settings["held_in_memory"]
    n_passes = round(source.passes)
    assert source.passes == n_passes
    for done in range(n_passes):
        scan, source = stored(counts)
        kept, source.fails = Kept(source), done + part
        with pytest.raises(KeyboardInterrupt):
            model.factorize(scan, on_sweep=kept.on_sweep, on_sketch=kept.on_sketch)
        assert done - repeated <= kept.passes <= done
        scan, source = stored(counts)
        found = model.factorize(scan, resume=kept.state, sketch=kept.sketch)
        assert source.passes == n_passes - kept.passes
        np.testing.assert_array_equal(found.maps, wanted.maps)
        np.testing.assert_array_equal(found.patterns, wanted.patterns)
        assert found.convergence == wanted.convergence
        assert found.settings == wanted.settings


def test_states_of_other_data_or_settings_are_refused(counts):
    scan, source = stored(counts)
    kept = Kept(source)
    NMF(3, max_iter=1).factorize(scan, on_sweep=kept.on_sweep, on_sketch=kept.on_sketch)
    with pytest.raises(InputError, match="resume"):
        NMF(4).factorize(scan, resume=kept.state)
    with pytest.raises(InputError, match="sketch"):
        NMF(4).factorize(scan, sketch=kept.sketch)
    with pytest.raises(InputError, match="sketch"):
        NMF(3).factorize(Scan.from_array(counts[1:], n_pattern_axes=2), sketch=kept.sketch)


def test_a_state_alone_is_enough(counts):
    """A sketch that is needed and not given is made again."""
    for constraints in ((), (Resolution(2.0),)):
        model = NMF(3, constraints=constraints, max_iter=2, sketch_sweeps=5, tol=0.0)
        states = []
        wanted = model.factorize(stored(counts)[0], on_sweep=states.append)
        for state in states:
            found = model.factorize(stored(counts)[0], resume=state)
            np.testing.assert_array_equal(found.maps, wanted.maps)


def test_what_has_ended_can_be_carried_on(counts):
    """More sweeps from the last state of fewer are the same as all of them at once."""
    settings = {"sketch_sweeps": 5, "tol": 0.0}
    states = []
    wanted = NMF(3, max_iter=4, **settings).factorize(stored(counts)[0])
    NMF(3, max_iter=2, **settings).factorize(stored(counts)[0], on_sweep=states.append)
    found = NMF(3, max_iter=4, **settings).factorize(stored(counts)[0], resume=states[-1])
    np.testing.assert_array_equal(found.maps, wanted.maps)
    assert found.convergence == wanted.convergence


LAYOUTS = [(40, 40, 40, 40), (7, 40, 40, 40), (5, 9, 40, 40), (40, 40, 13, 8)]


@pytest.fixture(scope="module")
def planted():
    return phantoms.planted_cube()[0]


def stores(folder, data):
    """Yield the same scan from zarr in all layouts, read anew every pass, and once kept in memory between them."""
    zarr = pytest.importorskip("zarr")
    for i, chunks in enumerate(LAYOUTS):
        path = folder / f"{i}.zarr"
        zarr.create_array(store=str(path), data=data, chunks=chunks)
        for budget in (1_500_000, 10**9)[: 1 + (i == 2)]:
            yield unmixel.open(path), budget


def apart(found, wanted):
    """Return the largest difference of two factors' matched components, as a share of the largest value."""
    matched = metrics.match(found.maps, found.patterns, wanted.maps, wanted.patterns)
    assert min(matched.pattern_cosine) > 1 - 1e-6
    return max(
        float(np.abs(getattr(found, name) - getattr(wanted, name)).max() / getattr(wanted, name).max())
        for name in ("maps", "patterns")
    )


@pytest.mark.slow
def test_the_result_does_not_depend_on_how_it_is_stored(planted, tmp_path):
    wanted = NMF(4).factorize(planted)
    held = set()
    for scan, budget in stores(tmp_path, np.asarray(planted.data)):
        found = NMF(4, memory_budget=budget).factorize(scan)
        held.add(found.settings["held_in_memory"][:3])
        np.testing.assert_allclose(found.convergence.objective, wanted.convergence.objective, rtol=1e-5)
        assert found.convergence.relative_error == pytest.approx(wanted.convergence.relative_error, rel=1e-5)
        assert apart(found, wanted) < 1e-5
    assert held == {"all", "not"}


@pytest.mark.slow
@pytest.mark.parametrize("constraint", [Resolution(2.0), SpotShape(1.5)], ids=["resolution", "spot_shape"])
def test_under_constraints_storage_matters_less_than_the_tolerance(planted, constraint):
    found = []
    for chunks in LAYOUTS[::2]:
        data = da.from_array(np.asarray(planted.data), chunks=chunks)
        model = NMF(4, constraints=[constraint], memory_budget=1_500_000)
        found.append(model.factorize(replace(planted, data=data)).convergence)
    assert found[0].objective[-1] == pytest.approx(found[1].objective[-1], rel=1e-4)
    assert found[0].relative_error == pytest.approx(found[1].relative_error, rel=1e-4)


def mib(path, data):
    """Write a Merlin file of 16-bit frames, and the header file that says how many make a row."""
    text = "MQ1,000001,00384,01,{:04d},{:04d},U16,   1x1,01,2024-07-02 13:46:44.000000,0.001000,0,0,0,1.2E+2,5.1E+2,"
    extra = ",MQ1A,2024-07-02T13:46:44.000000000Z,1000000ns,12,"
    head = (text.format(data.shape[3], data.shape[2]) + extra).encode().ljust(384, b"\0")
    frames = data.reshape(-1, *data.shape[2:])[:, ::-1].astype(">u2")
    path.write_bytes(b"".join(head + frame.tobytes() for frame in frames))
    count = f"Frames in Acquisition (Number):\t{len(frames)}\nFrames per Trigger (Number):\t{data.shape[1]}\n"
    path.with_suffix(".hdr").write_text(f"HDR,\t\n{count}End\t")


def hdf5(path, data):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, chunks=(3, 5, *data.shape[2:]))


def packed(path, data):
    np.savez_compressed(path, data=data)


def zarr_array(path, data):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(store=str(path), data=data, chunks=(5, 8, 16, 16))


WRITERS = {"scan.npy": np.save, "scan.npz": packed, "scan.h5": hdf5, "scan.zarr": zarr_array, "scan.mib": mib}


def poisson(n_rows):
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.5, 1.0, (n_rows * 52, 3)) @ rng.gamma(0.3, 1.0, (3, 40 * 44))
    return rng.poisson(40 * rates).astype(np.uint16).reshape(n_rows, 52, 40, 44)


STREAMED = NMF(3, sketch_sweeps=3, max_iter=1, memory_budget=1_200_000)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # compressed archives stay open with the scan
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_is_read_in_whole_passes(name, tmp_path, monkeypatch):
    data = poisson(24)
    monkeypatch.setattr(rosetta, "CHUNK_MIN", 0)  # as for a large file
    WRITERS[name](tmp_path / name, data)
    n_read, lock = [0], threading.Lock()
    untold = blocks.read

    def counted(*given):
        values = untold(*given)
        with lock:
            n_read[0] += values.nbytes
        return values

    monkeypatch.setattr(blocks, "read", counted)
    scan = unmixel.open(tmp_path / name)
    assert scan.data.shape == data.shape
    found = STREAMED.factorize(scan)
    assert n_read[0] % data.nbytes == 0
    assert found.settings["held_in_memory"] == "nothing: every pass reads the source"
    wanted = STREAMED.factorize(Scan.from_array(data, n_pattern_axes=2))
    assert found.convergence.relative_error == pytest.approx(wanted.convergence.relative_error, rel=1e-6)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    data = poisson(60)
    np.save(tmp_path / "scan.npy", data)
    scan = unmixel.open(tmp_path / "scan.npy")
    tracemalloc.start()
    STREAMED.factorize(scan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # a third of it are the signed sums of the sketch, which have the size of the detector
    assert peak < data.nbytes / 2.5


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int16])
def test_a_memory_map_stays_one(tmp_path, dtype):
    """Checks of the input read nothing, and its pages do not stay with the process."""
    data = poisson(24).reshape(24 * 52, -1)
    np.save(tmp_path / "table.npy", data.astype(dtype))
    mapped = np.load(tmp_path / "table.npy", mmap_mode="r")
    model = NMF(**STREAMED.get_params()).fit(mapped)
    assert model.n_features_in_ == data.shape[1]
    expected = NMF(**STREAMED.get_params()).fit(data).reconstruction_err_
    assert model.reconstruction_err_ == pytest.approx(expected, rel=1e-5)
    assert model.transform(mapped[:30]).shape == (30, 3)
    with pytest.raises(InputError, match="pixels as in fit"):
        model.transform(mapped[:, 1:])
    wrong = np.load(tmp_path / "table.npy", mmap_mode="c")
    if dtype != np.uint16:
        wrong[700, 3] = -1
        with pytest.raises(InputError, match="negative"):
            model.fit(wrong)
