"""Pairs of fits made in turn: medians, ratios, the table, the JSON file."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SLACK = 1e-4  # our error counts as the peer's up to this share of it
QUIET = 0.15  # cores that other work may take
SMALLEST_MB = 1.0  # below this much memory above the input a ratio would only tell of the allocator

Record = Mapping[str, Any]
"""What `fit_once` printed."""


@dataclass(frozen=True)
class Pair:
    """Two fits of the same table, one right after the other."""

    size: str
    peer: str
    run: int
    theirs: Record
    ours: Record

    def ratio(self, key: str, smallest: float = 0.0) -> float | None:
        """Return theirs divided by ours; None where ours is not above `smallest`."""
        return self.theirs[key] / self.ours[key] if self.ours[key] > smallest else None

    @property
    def reached(self) -> bool:
        """Whether our exact error ended at the peer's or below."""
        return bool(self.ours["error"] <= self.theirs["error"] * (1 + SLACK))


@dataclass(frozen=True)
class Row:
    """One line of the table: medians over the pairs, and medians of the ratios of every pair.

    Parameters
    ----------
    size, peer : str
    runs : int
    peer_s, our_s : float
        Wall seconds of the fit.
    faster : float or None
        Peer's time divided by ours; None where a run of ours did not reach the peer's error.
    peer_mb, our_mb : float
        Peak memory above the input, 10^6 bytes.
    leaner : float or None
        Peer's memory divided by ours; None where ours is too small for a ratio.
    peer_error, our_error : float
        Exact relative errors.
    """

    size: str
    peer: str
    runs: int
    peer_s: float
    our_s: float
    faster: float | None
    peer_mb: float
    our_mb: float
    leaner: float | None
    peer_error: float
    our_error: float


def _median(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else statistics.median(known)  # type: ignore[type-var]


def row(pairs: Sequence[Pair]) -> Row:
    """Return the line of the table of the pairs of one size and one peer."""

    def of(side: str, key: str) -> float:
        return float(statistics.median(getattr(pair, side)[key] for pair in pairs))

    return Row(
        size=pairs[0].size,
        peer=pairs[0].peer,
        runs=len(pairs),
        peer_s=of("theirs", "wall_s"),
        our_s=of("ours", "wall_s"),
        faster=_median(pair.ratio("wall_s") if pair.reached else None for pair in pairs),
        peer_mb=of("theirs", "peak_mb"),
        our_mb=of("ours", "peak_mb"),
        leaner=_median(pair.ratio("peak_mb", SMALLEST_MB) for pair in pairs),
        peer_error=of("theirs", "error"),
        our_error=of("ours", "error"),
    )


def rows(pairs: Sequence[Pair]) -> list[Row]:
    """Return one line for each size and peer, in the order in which they were measured."""
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.size, pair.peer), []).append(pair)
    return [row(group) for group in groups.values()]


HEAD = (
    f"{'':8} {'':14} {'':>4} | {'seconds':^26} | {'MB above the input':^24} | {'exact error':^17}\n"
    f"{'size':8} {'peer':14} {'runs':>4} | {'peer':>8} {'ours':>8} {'faster':>8} | "
    f"{'peer':>8} {'ours':>8} {'less':>6} | {'peer':>8} {'ours':>8}"
)
NOTE = (
    "seconds, ours: the whole fit, an upper bound of the time to the peer's final error; "
    "'missed': our error ended above the peer's."
)


def line(found: Row) -> str:
    """Return one line of the table."""
    faster = "missed" if found.faster is None else f"{found.faster:.2f} x"
    leaner = "-" if found.leaner is None else f"{found.leaner:.1f} x"
    return (
        f"{found.size:8} {found.peer:14} {found.runs:4} | {found.peer_s:8.2f} {found.our_s:8.2f} {faster:>8} | "
        f"{found.peer_mb:8.1f} {found.our_mb:8.1f} {leaner:>6} | {found.peer_error:8.5f} {found.our_error:8.5f}"
    )


def table(found: Iterable[Row]) -> str:
    """Return the table with its head and what its words mean."""
    return "\n".join([HEAD, *(line(one) for one in found), NOTE])


def disturbance(pairs: Sequence[Pair]) -> str:
    """Return a warning, on a line of its own, where other work went on during the fits; else nothing."""
    shares = [record.get("others") or 0.0 for pair in pairs for record in (pair.theirs, pair.ours)]
    disturbed = sum(share > QUIET for share in shares)
    if not disturbed:
        return ""
    return (
        f"\nnot a quiet machine: other work took more than {QUIET} of a core during {disturbed} of {len(shares)} fits "
        f"(at most {max(shares):.1f}). Fits with several threads suffer most."
    )


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [entry.partition(":")[2].strip() for entry in told.splitlines() if entry.startswith("model name")]
    return names[0] if names else platform.machine()


def machine(pairs: Sequence[Pair] = ()) -> dict[str, Any]:
    """Return what the machine is, without its name, and what multiplied matrices in our fits."""
    ours = pairs[0].ours if pairs else {}
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6,
        "versions": {"python": platform.python_version(), **ours.get("versions", {})},
        "blas": ours.get("blas", []),
        "threads_asked": {
            key: os.environ[key]
            for key in sorted(os.environ)
            if key.endswith(("_NUM_THREADS", "_MAXIMUM_THREADS"))
        },
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def save(file: Path, pairs: Sequence[Pair], **more: Any) -> None:
    """Write pairs, their table and the machine as JSON; `more` is kept beside them."""
    document = {
        "machine": machine(pairs),
        **more,
        "rows": [asdict(found) for found in rows(pairs)],
        "pairs": [asdict(pair) for pair in pairs],
    }
    write(file, document)


def write(file: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file, and the folder it lies in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")


def load(file: Path) -> list[Pair]:
    """Return the pairs of a file that `save` wrote."""
    return [Pair(**pair) for pair in json.loads(file.read_text())["pairs"]]
