"""dask.distributed: passes over the data on many workers, everything small in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

from unmixel.core.errors import InputError
from unmixel.engines.base import Blocks
from unmixel.engines.cluster import Cluster
from unmixel.engines.numpy_engine import NumpyEngine, cores
from unmixel.engines.remote_blocks import RemoteBlocks
from unmixel.engines.shipping import engine_here
from unmixel.engines.torch_engine import TorchEngine
from unmixel.engines.walk import Found, Task, walk

Kind = Literal["numpy", "torch"]

_UNRECORDED: dict[str, Any] = {"recorded": False}
"""Of parameters that say where something runs, not what is computed: records leave them out."""


@dataclass(frozen=True)
class DaskEngine:
    """Passes over the data on the workers of a dask cluster; sketch, solve and all small arrays stay here.

    Workers open the file by themselves. To each goes a pass and its own part of what lies along the scan; back come
    sums over its blocks, added up among the workers: O((positions + pixels) x width) numbers, never the data.

    Parameters
    ----------
    client : distributed.Client, optional
        Of a cluster that is there already.
    scheduler : str, optional
        Address of a scheduler, such as ``tcp://host:8786``; used where no client is given.
    workers : int, optional
        Processes that are started on this machine where neither is given; as many as it has cores by default.
    memory_limit : int, optional
        Bytes that each of those may take; twice the budget for blocks, and 1 GB, by default.
    compute : "numpy" or "torch"
        What computes on a worker. With one worker for each GPU, ``"torch"`` runs on all of them.
    spill : str, optional
        Folder that all workers see, for data that are in the memory of this process: they are written there once.
    progress : callable(done, of), optional
        Told of the finished parts of each pass.

    Raises
    ------
    InputError
        When a parameter is out of range; on first use, when there is no such scheduler, or workers are too small.
    MissingExtraError
        On first use, when distributed is not installed.

    Examples
    --------
    >>> engine = DaskEngine(workers=2)
    >>> engine.name, engine.asarray([1, 2], "float32").dtype
    ('dask', dtype('float32'))
    """

    client: Any = field(default=None, repr=False, metadata=_UNRECORDED)
    scheduler: str | None = field(default=None, repr=False, metadata=_UNRECORDED)
    workers: int | None = None
    memory_limit: int | None = None
    compute: Kind = "numpy"
    spill: str | None = field(default=None, repr=False, metadata=_UNRECORDED)
    progress: Callable[[int, int], None] | None = field(default=None, repr=False, metadata=_UNRECORDED)
    name: ClassVar[str] = "dask"
    """Everything that is not named here is as in the engine of this process."""

    def __post_init__(self) -> None:
        counts = {"workers": self.workers, "memory_limit": self.memory_limit}
        wrong = [f"{name}={value}" for name, value in counts.items() if value is not None and value < 1]
        if self.compute not in get_args(Kind):
            wrong.append(f"compute={self.compute!r}")
        if wrong:
            raise InputError(
                "DaskEngine",
                expected="workers and memory_limit >= 1, compute as one of numpy, torch",
                got=", ".join(wrong),
                hint="leave them out for one worker per core",
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what arrives in its place on a worker: the engine that computes there."""
        return engine_here, ()

    def __deepcopy__(self, memo: Any) -> DaskEngine:
        """Return the engine itself: a connection is shared, not copied."""
        return self

    @cached_property
    def here(self) -> Any:
        """The engine of this process, of the same arrays as that of the workers."""
        return TorchEngine("cpu") if self.compute == "torch" else NumpyEngine()

    @property
    def there(self) -> Any:
        """The engine of a worker: one thread, which the worker's own is."""
        return TorchEngine() if self.compute == "torch" else NumpyEngine(1)

    def __getattr__(self, name: str) -> Any:
        """Return what the engine of this process has under a name that is not known here."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.here, name)

    def cluster(self, budget: int) -> Cluster:
        """Return the cluster, begun or connected to when it is first asked for.

        Parameters
        ----------
        budget : int
            Bytes for blocks on each worker.
        """
        if self.client is not None:
            return Cluster(self.client)
        if self.scheduler is not None:
            return Cluster.connected(self.scheduler)
        return Cluster.local(self.workers or cores(), self.memory_limit or 2 * budget + 10**9)

    def n_workers(self, budget: int) -> int:
        """Return how many workers there are, or would be started here."""
        if self.client is None and self.scheduler is None:
            return self.workers or cores()
        return len(self.cluster(budget).addresses)

    def resident(self, blocks: Blocks) -> Blocks:
        """Return the blocks as the workers have them; none of their values ever come here.

        Raises
        ------
        InputError
            When workers cannot open the data by themselves.
        """
        reader: Any = blocks
        return RemoteBlocks.of(reader, self.cluster(reader.budget), (self.here, self.there), self.spill)

    def walk(self, task: Task, blocks: Blocks, along: tuple[Any, ...] = ()) -> Found:
        """Return what a task finds in all blocks, on the workers."""
        if isinstance(blocks, RemoteBlocks):
            return blocks.walk(task, along, self.progress)
        return walk(self.here, task, blocks, along)

    def told(self, budget: int) -> str:
        """Return in words where passes run, with the address of dask's dashboard."""
        return self.cluster(budget).told
