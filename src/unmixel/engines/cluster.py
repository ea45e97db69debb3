"""A dask cluster: workers of this machine or behind a scheduler, what they can hold, and what they are asked for."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from unmixel.core.errors import InputError, MissingExtraError

WAIT_S = 60
"""How long the workers of a scheduler are waited for."""


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError("distributed", extra="scale", purpose="The dask engine") from error
    return distributed


@cache
def _local(n_workers: int, memory_limit: int) -> Any:
    distributed = _distributed()
    cluster = distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=memory_limit,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )
    client = distributed.Client(cluster, set_as_default=False)

    def close() -> None:
        client.close()
        cluster.close()

    atexit.register(close)
    return client


@cache
def _connected(scheduler: str) -> Any:
    distributed = _distributed()
    try:
        client = distributed.Client(scheduler, timeout=WAIT_S, set_as_default=False)
        client.wait_for_workers(1, timeout=WAIT_S)
    except (OSError, TimeoutError, ValueError) as error:
        why = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise InputError(
            "scheduler",
            expected="the address of a dask scheduler with workers, such as tcp://host:8786",
            got=f"{scheduler!r} ({why})",
            hint="start one (dask scheduler; dask worker ADDRESS --nthreads 1), or leave it out for workers of this "
            "machine",
        ) from error
    return client


@dataclass(frozen=True)
class Cluster:
    """Workers, asked through a client.

    Parameters
    ----------
    client : distributed.Client
    """

    client: Any

    @classmethod
    def local(cls, n_workers: int, memory_limit: int) -> Cluster:
        """Return processes of this machine, one thread each, which end with this one.

        Parameters
        ----------
        n_workers : int
        memory_limit : int
            Bytes that each may take; dask ends and begins anew one that takes more.
        """
        return cls(_local(n_workers, memory_limit))

    @classmethod
    def connected(cls, scheduler: str) -> Cluster:
        """Return the workers of a scheduler.

        Raises
        ------
        InputError
            When nobody answers there, or no worker comes within a minute.
        """
        return cls(_connected(scheduler))

    def _workers(self) -> dict[str, Any]:
        known: dict[str, Any] = self.client.scheduler_info(n_workers=-1)["workers"]
        if not known:
            self.client.wait_for_workers(1)
            known = self.client.scheduler_info(n_workers=-1)["workers"]
        return known

    @property
    def addresses(self) -> list[str]:
        """Addresses of the workers that are there now, sorted; one is waited for."""
        return sorted(self._workers())

    @property
    def told(self) -> str:
        """The workers in words, with the address of dask's dashboard."""
        count = len(self._workers())
        link = self.client.dashboard_link
        words = f"{count} dask worker{'' if count == 1 else 's'}"
        return f"{words}; dashboard at {link}" if link else f"{words}; no dashboard (bokeh is not installed)"

    def check_memory(self, needed: int) -> None:
        """Raise InputError where a worker may take less than `needed` bytes (no limit is no refusal)."""
        limits = [int(worker.get("memory_limit") or 0) for worker in self._workers().values()]
        least = min((limit for limit in limits if limit), default=needed)
        if least < needed:
            raise InputError(
                "memory of the workers",
                expected=f"{needed / 1e9:.2f} GB for each: blocks of data, the arrays of a pass, the process itself",
                got=f"a limit of {least / 1e9:.2f} GB",
                hint="give workers more memory, or lower memory_budget (factorize.memory_budget_MB)",
            )

    def submit(self, *given: Any, **how: Any) -> Any:
        """Return the future of a call on a worker; see `distributed.Client.submit`."""
        return self.client.submit(*given, **how)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """While this is entered, dask does not warn of large graphs: tasks hold their own part of small arrays."""
        import dask

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            yield

    def finished(self, futures: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield futures with their results as they come; what was lost with a worker is done again by others.

        Raises
        ------
        InputError
            When workers die of the same task again and again, or the scheduler is gone.
        """
        distributed = _distributed()
        try:
            yield from distributed.as_completed(list(futures), loop=self.client.loop, with_results=True)
        except distributed.scheduler.KilledWorker as error:
            raise InputError(
                "workers",
                expected="workers that survive a pass over the data",
                got="the same part lost with several of them",
                hint="look at their logs: mostly memory; lower memory_budget, or give them more",
            ) from error
        except (distributed.client.FuturesCancelledError, distributed.CancelledError) as error:
            raise InputError(
                "scheduler",
                expected="a scheduler that stays until the end",
                got="a lost connection",
                hint="begin again with the same command: the run goes on from its last checkpoint",
            ) from error
