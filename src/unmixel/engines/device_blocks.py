"""Blocks of a scan on a device: kept there at their own width where they fit, else sent again every pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.blocks import Block
from unmixel.engines.numpy_engine import NumpyEngine

LARGEST = 2**31
"""Bytes of a block's working copy: large enough that a GPU does not wait for its orders."""
COPIES = 8
"""Working copies of a block that may be alive at the same time."""


def native(values: Any) -> NDArray[Any]:
    """Return values as a numpy array that torch can take: own byte order, contiguous, writable."""
    host = np.asarray(values)
    host = np.ascontiguousarray(host, host.dtype.newbyteorder("="))
    return host if host.flags.writeable else host.copy()


@dataclass(eq=False)
class DeviceBlocks:
    """Several blocks of a reader at a time as one tensor; the next one is read and sent while one is worked on.

    Counts that fit 8 or 16 bits take no more on the device, whatever they are stored as.

    Parameters
    ----------
    reader : BlockReader
        Where the data come from.
    engine : TorchEngine
    """

    reader: Any
    engine: Any
    _kept: dict[int, Block] = field(default_factory=dict, init=False, repr=False)
    _ahead: dict[int, Future[tuple[Block, Any]]] = field(default_factory=dict, init=False, repr=False)
    _held: int = field(default=0, init=False, repr=False)

    _halved: int = field(default=0, init=False, repr=False)

    @cached_property
    def _budget(self) -> int:
        return int(self.engine.budget) >> self._halved

    @cached_property
    def _work(self) -> int:
        """Bytes of one block in float32."""
        return min(LARGEST >> self._halved, self._budget // (4 * COPIES))

    def shrink(self) -> bool:
        """Halve what is held and what is worked on at once; return whether blocks can be smaller at all.

        For where a device has run out of memory: another program may have taken what was free at first.
        """
        if len(self._groups) == len(self.reader) and not self._kept:
            return False
        self._kept.clear()
        self._ahead.clear()
        self._held = 0
        self._halved += 1
        for name in ("_budget", "_work", "_groups"):
            self.__dict__.pop(name, None)
        return True

    @cached_property
    def _groups(self) -> list[range]:
        """Blocks of the reader that make up each block here."""
        count = len(self.reader)
        average = 4 * self.reader.n_values / max(1, count)
        step = max(1, int(self._work / max(1.0, average)))
        return [range(i, min(i + step, count)) for i in range(0, count, step)]

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self._groups)

    def __iter__(self) -> Iterator[Block]:
        """Yield all blocks in order."""
        return (self.load(i) for i in range(len(self)))

    @property
    def n_positions(self) -> int:
        """Number of positions in all blocks."""
        return int(self.reader.n_positions)

    @property
    def kept_as(self) -> str:
        """What is held between passes, in words."""
        if not self._kept:
            return str(self.reader.kept_as)
        kinds = sorted({str(block.values.dtype).removeprefix("torch.") for block in self._kept.values()})
        whole = len(self._kept) == len(self)
        held = "all blocks" if whole else f"{len(self._kept)} of {len(self)} blocks"
        text = f"{held} on {self.engine.place}, without loss, as {' and '.join(kinds)}"
        return text if whole else f"{text}; of the others: {self.reader.kept_as}"

    def load(self, i: int) -> Block:
        """Return block `i` with its values on the device; called from one thread."""
        if i in self._kept:
            return self._kept[i]
        if not self.engine.on_gpu:
            return self._keep(i, self._sent(self._groups[i])[0])
        coming = self._ahead.pop(i, None) or self._order(i)
        self._ahead.clear()  # of a pass that was broken off
        if i + 1 < len(self) and i + 1 not in self._kept:
            self._ahead[i + 1] = self._order(i + 1)
        block, event = coming.result()
        now = self._torch.cuda.current_stream(self.engine.place)
        now.wait_event(event)
        values: Any = block.values
        values.record_stream(now)
        return self._keep(i, block)

    def _keep(self, i: int, block: Block) -> Block:
        size = block.values.nbytes
        if self._held + size <= self._budget - COPIES * self._work:
            self._held += size
            self._kept[i] = block
        return block

    @property
    def _torch(self) -> Any:
        import torch

        return torch

    @cached_property
    def _sender(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix="unmixel-send")

    @cached_property
    def _stream(self) -> Any:
        return self._torch.cuda.Stream(self.engine.place)

    def _order(self, i: int) -> Future[tuple[Block, Any]]:
        return self._sender.submit(self._sent, self._groups[i])

    def _sent(self, group: range) -> tuple[Block, Any]:
        """Return a block on the device and the event after which it is there (None on a CPU)."""
        # several threads read and decompress; the blocks come in order
        blocks = NumpyEngine().each(self.reader.load, group)
        positions, pieces = [], []
        context: AbstractContextManager[Any] = nullcontext()
        if self.engine.on_gpu:
            context = self._torch.cuda.stream(self._stream)
        with context:
            waiting: deque[tuple[Any, Any]] = deque()
            for block in blocks:
                positions.append(block.positions)
                pieces.append(self._piece(block.values, waiting))
            values = self._joined(pieces)
            event = self._stream.record_event() if self.engine.on_gpu else None
        return Block(np.concatenate(positions), values), event

    def _piece(self, values: NDArray[Any], waiting: deque[tuple[Any, Any]]) -> Any:
        """Return some values on the device; a GPU fetches them by itself while the next ones are read."""
        torch = self._torch
        if not self.engine.on_gpu:
            return self._narrow(torch.from_numpy(native(values)))
        kind = torch.from_numpy(np.empty(0, values.dtype.newbyteorder("="))).dtype
        pinned = torch.empty(values.shape, dtype=kind, pin_memory=True)
        pinned.numpy()[...] = values
        sent = pinned.to(self.engine.place, non_blocking=True)
        waiting.append((self._stream.record_event(), pinned))
        if len(waiting) > 1:  # two at a time: pinned memory is taken from everybody
            waiting.popleft()[0].synchronize()
        return self._narrow(sent)

    def _narrow(self, values: Any) -> Any:
        """Return whole numbers >= 0 at the smallest of 8 and 16 bits that holds them, anything else as it is."""
        torch = self._torch
        if not self._budget or values.dtype in (torch.bool, torch.uint8, torch.uint16) or not values.numel():
            return values
        wide = values.to(torch.int64) if values.dtype in (torch.uint32, torch.uint64) else values
        facts = [wide.min(), wide.max()]
        if wide.dtype.is_floating_point:
            facts.append((wide == wide.round()).all().to(wide.dtype))
        low, high, *whole = torch.stack(facts).tolist()
        if not (low >= 0 and high <= 65_535 and all(whole)):
            return values
        return values.to(torch.uint8 if high <= 255 else torch.uint16)

    def _joined(self, pieces: list[Any]) -> Any:
        """Return pieces as one tensor of the smallest kind that holds them all."""
        torch = self._torch
        if len(pieces) == 1:
            return pieces[0]
        names = {str(piece.dtype).removeprefix("torch.") for piece in pieces}
        kind = getattr(torch, np.result_type(*names).name)
        rows = sum(len(piece) for piece in pieces)
        whole = torch.empty((rows, pieces[0].shape[1]), dtype=kind, device=pieces[0].device)
        start = 0
        for piece in pieces:
            whole[start : start + len(piece)].copy_(piece)
            start += len(piece)
        return whole
