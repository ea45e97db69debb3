"""The torch engine: values arrive as they are, products are as precise as was asked for, refusals say what to do."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from unmixel.core.errors import InputError, MissingExtraError
from unmixel.engines.base import Engine
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.engines.torch_engine import TorchEngine


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"unmixel\[torch\]"):
        TorchEngine().asarray([1.0])


@pytest.mark.parametrize("wrong", [{"products": "float16"}, {"device_budget": -1}])
def test_parameters_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        TorchEngine(**wrong)


@pytest.mark.parametrize("device", ["nonsense", "cuda:97", "meta", "cuda:x"])
def test_a_device_that_is_not_there_is_refused(torch, device: str) -> None:
    with pytest.raises(InputError, match=r"here: .*cpu") as caught:
        TorchEngine(device).asarray([1.0])
    assert repr(device) in str(caught.value)
    assert "auto" in str(caught.value)


def test_auto_is_the_gpu_where_there_is_one(torch) -> None:
    assert TorchEngine().place == (
        f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"
    )


def test_it_keeps_the_contract(torch) -> None:
    assert isinstance(TorchEngine(), Engine)
    assert isinstance(NumpyEngine(), Engine)
    assert [TorchEngine(products=p).exact for p in ("float32", "tf32", "bf16")] == [True, False, False]
    assert NumpyEngine().exact


KINDS = ["u1", "<u2", ">u2", "u4", "u8", "i1", "<i2", ">i4", "i8", "?", "f2", "<f4", ">f4", "f8"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_arrive_exactly(torch, kind: str, dtype: str) -> None:
    engine = TorchEngine("cpu")
    limit = {"?": 1, "u1": 255, "i1": 127, "<i2": 32_767, "f2": 2_048}.get(kind, 65_535)
    host = np.linspace(0, limit, 31 * 26).round().reshape(31, 26).astype(kind)
    for values in (host, host[:, ::2], host.T):
        before = values.copy()
        there = engine.asarray(values, dtype)
        assert str(there.dtype) == f"torch.{dtype}"
        np.testing.assert_array_equal(engine.to_host(there), values.astype(dtype))
        np.testing.assert_array_equal(values, before)
    read_only = host.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(engine.to_host(engine.asarray(read_only, dtype)), host.astype(dtype))


def test_counts_of_16_bits_are_cast_from_their_own_width(torch) -> None:
    engine = TorchEngine("cpu")
    there = engine.asarray(np.arange(65_536, dtype=np.uint16))
    assert there.dtype == torch.uint16
    np.testing.assert_array_equal(engine.to_host(engine.asarray(there, "float32")), np.arange(65_536))


def test_zeros(torch) -> None:
    zeros = TorchEngine("cpu").zeros((2, 3), "float64")
    assert zeros.dtype == torch.float64
    assert zeros.shape == (2, 3)
    assert not zeros.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_of_rows_agree(torch, dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((41, 13)).astype(dtype)
    groups = rng.choice([0, 1, 3, 6], 41)  # some have no row
    factors = rng.choice([-1.0, 2.0], 41).astype(dtype)
    here, there = NumpyEngine(), TorchEngine("cpu")
    sums, squares = map(there.to_host, there.sum_rows(there.asarray(values), groups, 8, factors))
    assert sums.dtype == dtype
    for found, wanted in zip((sums, squares), here.sum_rows(values, groups, 8, factors), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_array_equal(sums[[2, 4, 5, 7]], 0)


@pytest.mark.parametrize("engine", [NumpyEngine(3), TorchEngine("cpu")])
def test_answers_come_in_order(engine) -> None:
    def slow_first(i: int) -> int:
        time.sleep(0.02 if i == 0 else 0)
        return i * i

    assert list(engine.each(slow_first, range(7))) == [i * i for i in range(7)]


def both_ways(engine, counts, rows, dtype: str = "float32"):
    """Return ``rows counts'`` and ``rows[:, :b] counts`` on the host."""
    there, operand = engine.asarray(rows, dtype), engine.operand(counts, dtype)
    b = len(counts)
    return engine.to_host(engine.project(operand, there)), engine.to_host(
        engine.combine(there[:, :b], operand)
    )


@pytest.mark.parametrize("products", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize("top", [256, 60_000])
def test_products_lose_nothing_but_what_bf16_cannot_hold_of_the_data(torch, products: str, top: int) -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(0, top + 1, (29, 4_001)).astype(np.uint16)
    rows = rng.standard_normal((5, 4_001)).astype(np.float32)
    held = counts.astype(np.float64)
    if products == "bf16":
        held = torch.from_numpy(held).bfloat16().double().numpy()
        assert np.array_equal(held, counts) == (top == 256)
    exact = rows @ held.T, rows[:, :29] @ held
    for engine in (TorchEngine("cpu", products=products), NumpyEngine()):
        if engine.name == "numpy" and products == "bf16":
            continue
        for product, wanted in zip(both_ways(engine, counts, rows), exact, strict=True):
            assert product.dtype == np.float32
            np.testing.assert_allclose(product, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())


def test_rounding_of_data_is_less_than_their_noise(torch) -> None:
    counts = np.arange(65_536, dtype=np.uint16)
    operand = TorchEngine("cpu", products="bf16").operand(counts, "float32")
    assert operand.dtype == torch.bfloat16
    off = np.abs(operand.double().numpy() - counts)
    assert not off[:257].any()
    assert (off[1:] / np.sqrt(counts[1:])).max() < 0.71


@pytest.mark.parametrize("products", ["float32", "tf32", "bf16"])
def test_data_in_double_precision_stay_so(products: str, torch) -> None:
    rng = np.random.default_rng(2)
    data, rows = rng.random((7, 31)), rng.random((3, 31))
    engine = TorchEngine("cpu", products=products)
    for product, wanted in zip(
        both_ways(engine, data, rows, "float64"), (rows @ data.T, rows[:, :7] @ data), strict=True
    ):
        np.testing.assert_allclose(product, wanted, rtol=1e-14)


NAME = "fp32_precision"  # since torch 2.9


class _Witness:
    """Data that note how GPUs multiply while they are multiplied."""

    dtype = None

    def __init__(self, torch) -> None:
        self.torch, self.setting, self.seen = torch, torch.backends.cuda.matmul, []

    def __matmul__(self, other):
        self.seen.append(getattr(self.setting, NAME if hasattr(self.setting, NAME) else "allow_tf32"))
        return self.torch.zeros(2, other.shape[1])


@pytest.mark.parametrize(("products", "wanted"), [("float32", ("ieee", False)), ("tf32", ("tf32", True))])
def test_the_process_keeps_its_precision(torch, products: str, wanted) -> None:
    engine, witness = TorchEngine("cpu", products=products), _Witness(torch)
    setting = torch.backends.cuda.matmul
    name = NAME if hasattr(setting, NAME) else "allow_tf32"
    before = getattr(setting, name)
    with engine.threads():
        assert engine.project(witness, torch.zeros(3, 7)).shape == (3, 2)
        assert getattr(setting, name) in ("ieee", False), "other products are in full precision"
    assert witness.seen[0] in wanted
    assert getattr(setting, name) == before

    def broken_off() -> None:
        with engine.threads():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert getattr(setting, name) == before


@pytest.mark.parametrize("budget", [None, 10**9])
def test_out_of_memory_says_which_budget_to_lower(torch, budget) -> None:
    def greedy() -> None:
        with TorchEngine("cpu", device_budget=budget).threads():
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB.\nmore")

    with pytest.raises(InputError, match=r"lower TorchEngine\(device_budget") as caught:
        greedy()
    assert "3.00 GiB" in str(caught.value)
    assert (str(budget) if budget else "80 %") in str(caught.value)
