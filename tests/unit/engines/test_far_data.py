"""What workers look at is not read here: steps, the look at the detector, and counts, with the same result."""

from __future__ import annotations

import pickle
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from functools import partial

import numpy as np
import pytest

import unmixel
from unmixel import NMF, Annulus, Disk, Sparse
from unmixel.core import registry
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.engines import remote_blocks
from unmixel.engines.blocks import BlockReader
from unmixel.engines.dask_engine import DaskEngine
from unmixel.engines.lazy import wrap
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.engines.walk import Found, Task
from unmixel.factorize.leftovers import leftovers
from unmixel.factorize.losses.sparse_counts import SparseRows
from unmixel.factorize.start import GivenStart
from unmixel.interpret.matcher import PositionMatcher
from unmixel.interpret.neighbourhood import Neighbourhoods
from unmixel.interpret.positions import match_positions
from unmixel.prepare import statistics
from unmixel.prepare.artefacts import inspect_detector
from unmixel.prepare.passes import walked_by
from unmixel.testing.crystals import View, groups_of, zirconium_alloys

BUDGET = 1_000_000
SCAN, DETECTOR = (11, 13), (31, 26)
READS: Counter[str] = Counter()


@dataclass(frozen=True, eq=False)
class Far:
    """A source that counts what is read of it, here or, after a journey, there."""

    values: np.ndarray
    where: str = "here"
    chunks: tuple[int, ...] = (3, 5, *DETECTOR)

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    ndim = property(lambda self: self.values.ndim)

    def __getitem__(self, key):
        found = self.values[key]
        READS[self.where] += found.size
        return found

    def __reduce__(self):
        return Far, (self.values, "there", self.chunks)

    def __dask_tokenize__(self):
        return ("far", id(self))


@dataclass(eq=False)
class Done:
    value: object


@dataclass(eq=False)
class Nearby:
    """A cluster whose workers are this process; what is sent to them is packed and opened all the same."""

    addresses: tuple[str, ...] = ("one", "two")
    sent: list[int] = field(default_factory=list)

    def check_memory(self, needed: int) -> None:
        assert needed > 0

    def quiet(self):
        return nullcontext()

    def submit(self, function, *given, **how):
        values = []
        for value in given:
            if not isinstance(value, Done):
                data = pickle.dumps(value)
                self.sent.append(len(data))
                value = pickle.loads(data)
            values.append(value.value if isinstance(value, Done) else value)
        return Done(function(*values))

    def finished(self, futures):
        return [(future, future.value) for future in list(futures)]


@dataclass(frozen=True)
class FarEngine(DaskEngine):
    near: Nearby = field(default_factory=Nearby, metadata={"recorded": False})

    def cluster(self, budget: int):
        return self.near


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(statistics, "_memory", type(statistics._memory)())
    READS.clear()


def scan_of(values: np.ndarray, lazy: bool) -> Scan:
    data = wrap(Far(values), (3, 5, *DETECTOR)) if lazy else values
    weights = np.ones(values.shape[:2])
    weights[2, 3] = weights[10, 12] = 0
    return Scan.from_array(data, n_pattern_axes=2, position_weights=weights)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    """Return counts of a beam that wanders over the detector, on a halo that differs from place to place."""
    y, x = np.indices(SCAN)[..., None, None]
    v, u = np.indices(DETECTOR)
    distance = np.hypot(v - 14.3 - 0.15 * y, u - 12.2 + 0.1 * x)
    light = (
        60 / (1 + np.exp(2 * (distance - 3))) + (1 + 0.3 * np.sin(x + y)) * np.exp(-distance / 9) * 5 + 0.3
    )
    return np.random.default_rng(0).poisson(light).astype(np.uint16)


STEPS = {
    "background": {"level": "minimum"},
    "measure_beam": {"source": "vacuum"},
    "descan": {},
    "center": {},
    "repair": {},
    "poisson_weights": {"positions": True},
}


@pytest.mark.parametrize(
    "name",
    [name if name == "measure_beam" else pytest.param(name, marks=pytest.mark.slow) for name in STEPS],
)
def test_steps_do_the_same_and_read_nothing_here(counts, name: str) -> None:
    step = registry.load("steps", name)(**STEPS[name])
    here = step.apply(scan_of(counts + (name == "background"), lazy=False))
    with walked_by(FarEngine(), BUDGET):
        there = step.apply(scan_of(counts + (name == "background"), lazy=True))
    assert READS["here"] == 0
    assert READS["there"] >= counts.size
    one, two = (found.history[-1] for found in (here, there))
    assert two.effect == one.effect
    for key, value in one.values.items():
        assert two.values[key] == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value)
    for part in ("position_weights", "pixel_weights"):
        one, two = (getattr(found, part) for found in (here, there))
        assert (one is None) == (two is None)
        if one is not None:
            np.testing.assert_allclose(two, one, rtol=1e-12)
    assert set(there.extras) == set(here.extras)
    for key, value in here.extras.items():
        np.testing.assert_allclose(there.extras[key], value, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(np.asarray(there.data), here.data)


@pytest.mark.parametrize("least", [pytest.param(1, marks=pytest.mark.slow), 6])
def test_the_detector_is_looked_at_there(counts, least: int) -> None:
    values = np.where(counts < least, 0, counts).astype(np.uint16)
    here = inspect_detector(scan_of(values, lazy=False))
    with walked_by(FarEngine(), BUDGET):
        there = inspect_detector(scan_of(values, lazy=True))
    assert READS["here"] == 0
    assert there.rows == here.rows
    assert ("were cut off" in there.rows[1].reason) == (least > 1)
    assert there.margins == here.margins
    for name in ("use", "ghosts"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))


def everything_of(found: object) -> list[np.ndarray]:
    """Return all numbers in a result."""
    if isinstance(found, np.ndarray | int | float):
        return [np.asarray(found)]
    if isinstance(found, tuple):
        return [array for part in found for array in everything_of(part)]
    kept = (getattr(found, one.name) for one in fields(found))
    return [array for part in kept if not isinstance(part, str) for array in everything_of(part)]


REGIONS = np.arange(1, 1 + SCAN[0] * SCAN[1]).reshape(SCAN) // 20
VERBS = {
    # whole shares: sums of counts are exact, whatever is added first
    "moments": partial(unmixel.center_of_mass, unit="px", center=(14, 12)),
    "rings": partial(
        unmixel.virtual_image, detectors=[Disk(3, "px"), Annulus(4, 8, "px")], used=np.ones(DETECTOR, bool)
    ),
    "variance": partial(unmixel.variance_profile, unit="px", width=2, gain=1),
    "regions": partial(unmixel.region_profiles, regions=REGIONS, unit="px", width=2),
}


@pytest.mark.parametrize("name", VERBS)
def test_verbs_find_the_same_and_read_nothing_here(counts, name: str) -> None:
    look = partial(VERBS[name], memory_budget=BUDGET)
    here, there = look(scan_of(counts, lazy=False)), look(scan_of(counts, lazy=True), engine=FarEngine())
    assert READS["here"] == 0
    assert READS["there"] >= counts.size
    for one, two in zip(everything_of(here), everything_of(there), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-12, atol=1e-12)


def test_sums_of_counts_are_the_same_bit_for_bit(counts) -> None:
    whole = np.zeros(DETECTOR, bool)
    whole[10:19, 8:17] = True
    detector = Disk(30, "px")  # of which all pixels in use count whole
    here = unmixel.virtual_image(scan_of(counts, lazy=False), detector, used=whole)
    there = unmixel.virtual_image(scan_of(counts, lazy=True), detector, used=whole, engine=FarEngine())
    np.testing.assert_array_equal(there, here)
    np.testing.assert_array_equal(here, counts[..., whole].sum(axis=-1))
    one, two = (
        unmixel.region_profiles(scan_of(counts, lazy), REGIONS, center=(14, 12), unit="px", engine=engine)
        for lazy, engine in ((False, None), (True, FarEngine()))
    )
    np.testing.assert_array_equal(two.patterns, one.patterns)


def test_the_residual_is_looked_at_there(counts) -> None:
    y, x = np.indices(SCAN)
    spot = np.zeros(DETECTOR)
    spot[20:24, 4:8] = 6.0
    more = np.random.default_rng(2).poisson(spot * (np.hypot(y - 6, x - 8) < 2.5)[..., None, None])
    values = (counts + more).astype(np.uint16)
    start = GivenStart(np.ones((1, *SCAN)), counts.mean(axis=(0, 1))[None])
    factors = NMF(1, start=start, sketch_sweeps=0, max_iter=2).factorize(scan_of(values, lazy=False))
    engine = FarEngine()
    here, there = (
        leftovers(factors, Matrix.from_scan(scan_of(values, lazy)), budget=BUDGET, engine=one)
        for lazy, one in ((False, "numpy"), (True, engine))
    )
    assert READS["here"] == 0
    assert READS["there"] >= values.size
    assert here.n_peaks
    np.testing.assert_array_equal(there.places, here.places)
    for name in ("z_map", "z_pattern", "significance", "counts", "maps", "patterns"):
        one, two = (getattr(found, name) for found in (here, there))
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6 * np.nanmax(np.abs(one)))


@dataclass(frozen=True)
class Patterns(Task):
    """Here: the patterns themselves. Sums: how often each position was seen."""

    n_positions: int

    def __call__(self, engine, block, *along):
        return Found((block.values.T,), (np.bincount(along[0], minlength=self.n_positions),))


@pytest.mark.parametrize("sigma", [0.4, 1.0])
def test_neighbours_are_averaged_there(counts, sigma: float) -> None:
    n = SCAN[0] * SCAN[1]
    # numpy has room for larger tiles than a worker
    here, there = (
        Neighbourhoods(scan_of(counts, lazy), sigma, budget, engine).walk(Patterns(n), (np.arange(n),))
        for lazy, budget, engine in ((False, 10**9, NumpyEngine(1)), (True, 1_000_000, FarEngine()))
    )
    assert READS["here"] == 0
    assert counts.size < READS["there"] < 6 * counts.size
    np.testing.assert_array_equal(there.sums[0], np.ones(n))
    np.testing.assert_allclose(there.here[0], here.here[0], rtol=1e-6)


@dataclass(frozen=True)
class Rounded(Task):
    """Here: sums of the patterns. Sums: the patterns divided by 3, so that the order of adding shows."""

    def __call__(self, engine, block, *along):
        thirds = block.values.astype(np.float32) / np.float32(3)
        return Found((block.values.sum(axis=1) + along[0],), (thirds.sum(axis=0), len(thirds)))


def test_how_many_runs_are_asked_for_at_once_changes_nothing(counts, monkeypatch) -> None:
    monkeypatch.setattr(remote_blocks, "RUNS", (13, 128))
    engine, along = FarEngine(), np.arange(SCAN[0] * SCAN[1])
    blocks = engine.resident(BlockReader(wrap(Far(counts), (3, 5, *DETECTOR)), 2, 500_000))
    assert len(blocks.runs) == 13
    found, sent = [], []
    for lot in (1, 2, 4, 8, 16):
        engine.near.sent.clear()
        blocks.lot = lot
        found.append(engine.walk(Rounded(), blocks, (along,)))
        sent.append(len(engine.near.sent))
    assert sent == sorted(sent, reverse=True)
    assert found[0].sums[1] == along.size
    np.testing.assert_array_equal(found[0].here[0], counts.sum(axis=(2, 3)).ravel() + along)
    for one in found[1:]:
        np.testing.assert_array_equal(one.here[0], found[0].here[0])
        np.testing.assert_array_equal(one.sums[0], found[0].sums[0])


@pytest.mark.slow
@pytest.mark.parametrize("neighbourhood", [0.0, 0.4])
def test_positions_are_matched_there(neighbourhood: float) -> None:
    zones = [(zirconium_alloys()[0], (0, 0, 1)), (zirconium_alloys()[1], (1, 1, 0))]
    patterns = [View(rotation_deg=25, electrons=4_000).pattern(*zone) for zone in zones]
    expected = np.array(patterns)[np.indices((7, 9))[1] // 5]
    values = np.random.default_rng(0).poisson(expected).astype(np.uint16)
    chunks = (3, 5, *values.shape[2:])
    look = partial(
        match_positions,
        groups=groups_of(patterns),
        matcher=PositionMatcher(neighbourhood=neighbourhood, surrogates=200),
        memory_budget=6_000_000,
    )
    here = look(Scan.from_array(values))
    there = look(Scan.from_array(wrap(Far(values, chunks=chunks), chunks)), engine=FarEngine())
    assert READS["here"] == 0
    assert READS["there"] >= values.size
    assert here.group.max() == 1
    for name in ("group", "best", "mirrored"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    for name in ("electrons", "similarity", "runner_up", "rotation_deg", "p_value", "agreement"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-5, atol=1e-6)


@pytest.fixture
def gathered(monkeypatch) -> list[int]:
    sizes, of = [], SparseRows.of.__func__

    def told(cls, *given):
        found = of(cls, *given)
        sizes.append(len(found.counts))
        return found

    monkeypatch.setattr(SparseRows, "of", classmethod(told))
    return sizes


@pytest.mark.parametrize(
    ("share", "budget"),
    [
        (0.02, BUDGET),
        pytest.param(0.02, 100_000, marks=pytest.mark.slow),
        pytest.param(1.0, BUDGET, marks=pytest.mark.slow),
    ],
)
def test_counts_stay_there_as_entries_where_most_are_zero(
    counts, gathered, share: float, budget: int
) -> None:
    values = np.random.default_rng(1).binomial(counts, share).astype(np.uint16)
    settings = {"loss": "kl", "max_iter": 4, "tol": 0, "sketch_sweeps": 5, "memory_budget": budget}
    here, there = (
        NMF(3, engine=engine, constraints=[Sparse(1.0)], **settings).factorize(scan_of(values, lazy))
        for engine, lazy in ((NumpyEngine(1), False), (FarEngine(), True))
    )
    assert READS["here"] == 0
    if share == 1:
        assert not gathered
    elif budget == BUDGET:
        assert len(gathered) == 1 + 8  # those of this process, and of each run
    else:
        assert len(gathered) > 8 + 4  # some find no room there, and are gathered again in every pass
    np.testing.assert_allclose(there.convergence.objective, here.convergence.objective, rtol=1e-5)
    for name in ("maps", "patterns"):
        one, two = (getattr(found, name) for found in (here, there))
        np.testing.assert_allclose(two, one, atol=1e-3 * one.max())


@pytest.mark.slow
def test_a_pass_over_counts_sends_what_positions_and_pixels_need(counts, monkeypatch) -> None:
    monkeypatch.setattr(remote_blocks, "LOT_S", (0.0, np.inf))  # a pass as on data that take their time
    values = np.random.default_rng(1).binomial(counts, 0.02).astype(np.uint16)
    engine, sizes = FarEngine(), []
    for sweeps in (1, 3):
        engine.near.sent.clear()
        NMF(3, loss="kl", engine=engine, max_iter=sweeps, tol=0, memory_budget=BUDGET).factorize(
            scan_of(values, lazy=True)
        )
        sizes.append(sum(engine.near.sent))
    n, m = np.prod(SCAN), np.prod(DETECTOR)
    # maps, multiplicity and weight of each position; patterns and weights of the pixels; both in float32
    least = 4 * (n * (3 + 2) + m * (3 + 1))
    # and some hundred bytes for the form of each of the parcels
    assert least < (sizes[1] - sizes[0]) / 2 < least + 20_000
