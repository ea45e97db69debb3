"""torch: the GPU where there is one, the CPU so that tests can run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, ClassVar, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError, MissingExtraError
from unmixel.engines.base import Blocks
from unmixel.engines.device_blocks import DeviceBlocks, native
from unmixel.engines.walk import Found, Task, walk

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Precision = Literal["float32", "tf32", "bf16"]

SHARE = 0.8
"""Share of a GPU's free memory that is used unless the user says otherwise."""

_TF32_BITS = ~0x1FFF
"""The bits of a number in float32 that products in TF32 read."""


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", extra="torch", purpose="The torch engine") from error
    return torch


@dataclass(frozen=True)
class TorchEngine:
    """torch on a device; counts stay there at their own width, a sweep moves nothing but small matrices and scalars.

    Parameters
    ----------
    device : str
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
    products : "float32", "tf32" or "bf16"
        How the data enter products: in full; with 11 leading bits on a GPU (``"tf32"``: counts up to 2,048 are exact;
        no difference on a CPU); or with 8 (``"bf16"``: counts up to 256 are exact, larger ones are off by less than
        their Poisson noise). Factors keep 16 bits or more, sums are formed in float32, and errors that are reported
        are computed in full precision. Data in float64 are not affected.
    device_budget : int, optional
        Bytes of device memory for data and working copies; what does not fit is sent again every pass. 80 % of what
        is free on a GPU unless given; 0 on a CPU, where the data are in memory anyway.

    Raises
    ------
    InputError
        When a parameter is out of range; on first use, when the device is not there.

    Examples
    --------
    >>> engine = TorchEngine("cpu", products="bf16")
    >>> engine.name, engine.exact
    ('torch', False)
    """

    device: str = "auto"
    products: Precision = "float32"
    device_budget: int | None = None
    name: ClassVar[str] = "torch"
    tile: ClassVar[int] = 2**62
    """A device has no use for small tiles."""

    def __post_init__(self) -> None:
        if self.products not in get_args(Precision):
            raise InputError(
                "TorchEngine",
                expected=f"products as one of {', '.join(get_args(Precision))}",
                got=repr(self.products),
                hint="leave it out for full precision",
            )
        if self.device_budget is not None and self.device_budget < 0:
            raise InputError(
                "TorchEngine",
                expected="device_budget >= 0 bytes",
                got=str(self.device_budget),
                hint="leave it out for 80 % of the device's free memory",
            )

    @property
    def exact(self) -> bool:
        """Whether products with the data are in full precision."""
        return self.products == "float32"

    @cached_property
    def place(self) -> str:
        """The device's name, found to be there."""
        torch = _torch()
        name = self.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            # sums are kept in float64, which not every kind of device has
            float(torch.zeros(1, dtype=torch.float64, device=name).sum())
        except (RuntimeError, AssertionError, TypeError) as error:
            count = torch.cuda.device_count()
            found = ["cpu", "cuda", *(f"cuda:{i}" for i in range(count))] if count else ["cpu"]
            raise InputError(
                "TorchEngine",
                expected=f"a device that computes in float64; here: {', '.join(found)}",
                got=f"{name!r} ({str(error).splitlines()[0][:120]})",
                hint='name one of these or "auto"; a GPU needs its driver and a torch built for it',
            ) from error
        # other threads have a current device of their own
        return f"cuda:{torch.cuda.current_device()}" if name == "cuda" else name

    @property
    def on_gpu(self) -> bool:
        """Whether the device has memory of its own."""
        return self.place.startswith("cuda")

    @property
    def xp(self) -> Any:
        """Return array-api-compat's torch namespace."""
        _torch()
        import array_api_compat.torch as xp

        return xp

    @property
    def fft(self) -> Any:
        """Return torch's transforms."""
        return self.xp.fft

    def asarray(self, values: Any, dtype: str | None = None) -> Any:
        """Return `values` as a tensor on the device; they travel at their own width and are cast there."""
        torch = _torch()
        wanted = getattr(torch, dtype) if dtype else None
        if not isinstance(values, torch.Tensor):
            values = torch.from_numpy(native(values))
        return values.to(self.place).to(wanted)

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return zeros, made on the device."""
        torch = _torch()
        return torch.zeros(shape, dtype=getattr(torch, dtype), device=self.place)

    def to_host(self, array: Any) -> NDArray[Any]:
        """Return a tensor as numpy."""
        return np.asarray(array.detach().cpu().numpy())

    def resident(self, blocks: Blocks) -> Blocks:
        """Return the blocks with their values on the device: kept there where they fit, else sent every pass."""
        return DeviceBlocks(blocks, self)

    @property
    def budget(self) -> int:
        """Bytes of device memory that data and working copies may take."""
        if self.device_budget is not None:
            return self.device_budget
        if not self.on_gpu:
            return 0
        free, _ = _torch().cuda.mem_get_info(self.place)
        return int(SHARE * free)

    def operand(self, values: Any, dtype: str) -> Any:
        """Return the values of a block cast for products: to bfloat16 without a detour where that is chosen."""
        if self.products == "bf16" and dtype == "float32":
            return self.asarray(values, "bfloat16")
        return self.asarray(values, dtype)

    def ready(self, rows: Any) -> Any:
        """Return the rows themselves."""
        return rows

    def project(self, operand: Any, rows: Any) -> Any:
        """Return ``rows operand'``, shape (l, b)."""
        parts = self._parts(rows)
        product = self._multiply(operand, parts.T).T
        return product if len(product) == len(rows) else product[: len(rows), :] + product[len(rows) :, :]

    def combine(self, rows: Any, operand: Any) -> Any:
        """Return ``rows operand``, shape (l, m)."""
        product = self._multiply(self._parts(rows), operand)
        return product if len(product) == len(rows) else product[: len(rows), :] + product[len(rows) :, :]

    def _parts(self, rows: Any) -> Any:
        """Return rows as they are, or leading bits above those that follow: a product loses nothing on their side.

        Rounded rows would differ from pass to pass from those that everything else is computed with, and sweeps
        would chase the difference for ever; rounded data are the same data in every pass.
        """
        torch = _torch()
        if rows.dtype != torch.float32 or self.exact:
            return rows
        if self.products == "bf16":
            leading = rows.to(torch.bfloat16)
            return torch.cat([leading, (rows - leading.float()).to(torch.bfloat16)])
        leading = (rows.view(torch.int32) & _TF32_BITS).view(torch.float32)
        return torch.cat([leading, rows - leading])

    def _multiply(self, a: Any, b: Any) -> Any:
        """Return ``a @ b``, summed in float32 or better."""
        torch = _torch()
        if a.dtype != torch.bfloat16:
            if self.products != "tf32":
                return a @ b
            with _multiplying_in("tf32"):
                return a @ b
        if not self.on_gpu:
            return a.float() @ b.float()
        try:
            return torch.mm(a, b, out_dtype=torch.float32)
        except TypeError:  # torch before 2.8 would round the sums, too
            with _multiplying_in("tf32"):  # its 11 bits hold the 8 of the operands: the same product
                return a.float() @ b.float()

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Return the context in which products run: full precision, and a word of advice where memory runs out.

        The process's setting for products in float32 is put back at the end.
        """
        torch = _torch()
        try:
            with _multiplying_in("ieee"):
                yield
        except torch.cuda.OutOfMemoryError as error:
            raise InputError(
                "memory of the device",
                expected=f"data and working copies to fit on {self.place!r}",
                got=str(error).splitlines()[0],
                hint="give a lower TorchEngine(device_budget=...), in bytes (now "
                + (f"{self.device_budget})" if self.device_budget is not None else "80 % of what was free)"),
            ) from error

    def each(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``function(item)`` one after the other: the device shares out the work by itself."""
        return map(function, items)

    def gather(
        self, function: Callable[[Item], Answer], items: Iterable[Item], add: Callable[[Any, Answer], Any]
    ) -> list[Any]:
        """Return the one total of ``add(total, function(item))`` over all items."""
        return [reduce(add, map(function, items), None)]

    def walk(self, task: Task, blocks: Blocks, along: tuple[Any, ...] = ()) -> Found:
        """Return what a task finds in all blocks; in smaller ones where the device's memory has run out.

        Raises
        ------
        InputError
            When not even the smallest blocks fit.
        """
        while True:
            try:
                return walk(self, task, blocks, along)
            except _torch().OutOfMemoryError:
                # a task changes nothing: what was begun may be done again
                if not (isinstance(blocks, DeviceBlocks) and blocks.shrink()):
                    raise

    def sum_rows(
        self, values: Any, groups: NDArray[Any], size: int, factors: NDArray[Any]
    ) -> tuple[Any, Any]:
        """Return ``sum over i in group g of factors[i] values[i]``, (size, m), always the same, and rows' squares."""
        torch = _torch()
        groups = np.asarray(groups, np.int64)
        # sorted: adding where an index says would leave the order, and the rounding, to chance on a GPU
        order = self.asarray(np.argsort(groups, kind="stable"))
        lengths = self.asarray(np.bincount(groups, minlength=size))
        own = self.asarray(factors)
        cast = values.to(own.dtype)
        squares = torch.linalg.vecdot(cast, cast).to(torch.float64)
        rows = cast[order] * own[order][:, None]
        return torch.segment_reduce(rows, "sum", lengths=lengths, axis=0), squares


@contextmanager
def _multiplying_in(precision: Literal["ieee", "tf32"]) -> Iterator[None]:
    """Set how GPUs multiply float32, and put it back."""
    setting = _torch().backends.cuda.matmul
    if hasattr(setting, "fp32_precision"):
        name, wanted = "fp32_precision", precision
    else:  # torch before 2.9
        name, wanted = "allow_tf32", precision == "tf32"  # type: ignore[assignment]
    before = getattr(setting, name)
    setattr(setting, name, wanted)
    try:
        yield
    finally:
        setattr(setting, name, before)
