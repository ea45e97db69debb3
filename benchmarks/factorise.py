"""unmixel against its peers: time, memory and exact error of whole fits, in pairs:  make bench

Every fit is a process of its own on the same bytes; see docs/how-to/benchmark.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from child import ChildFailedError, run
from inputs import ROOT, SIZES, USUAL, Size
from pairs import Pair, Record, disturbance, rows, save, table
from peers import ALL, OURS, PEERS

HERE = Path(__file__).parent
HYPERSPY = ROOT / ".venv-hyperspy" / "bin" / "python"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class AbsentError(Exception):
    """A peer is not installed."""


def fit(peer: str, file: Path, k: int, *, python: str = sys.executable) -> Record:
    """Return the record of one fit in a process of its own.

    Parameters
    ----------
    peer : str
    file : Path
        Table of counts.
    k : int
        Number of components.
    python : str
        The interpreter that has the peer.

    Raises
    ------
    AbsentError
        When the peer is not installed there.
    ChildFailedError
        When the fit failed.
    """
    printed, cost = run([python, str(HERE / "fit_once.py"), peer, str(file), str(k)])
    record: Record = json.loads(printed.splitlines()[-1])
    if "absent" in record:
        raise AbsentError(record["absent"])
    return {**record, "others": cost.others}


def in_turn(size: Size, peer: str, runs: int, file: Path, python: str) -> Iterator[Pair]:
    """Yield pairs of fits, each made right after the one before: theirs, ours, theirs, ours, ..."""
    for number in range(runs):
        theirs = fit(peer, file, size.k, python=python)
        yield Pair(size.name, peer, number, theirs, fit(OURS, file, size.k))


def interpreter(peer: str, chosen: str | None) -> str:
    """Return the interpreter of a peer; HyperSpy has an environment of its own."""
    if ALL[peer].package != "hyperspy":
        return sys.executable
    return chosen or (str(HYPERSPY) if HYPERSPY.exists() else sys.executable)


def say(text: str) -> None:
    """Tell how far it is, on the error stream."""
    print(text, file=sys.stderr, flush=True)


def compare(asked: argparse.Namespace) -> tuple[list[Pair], dict[str, str]]:
    """Measure all that was asked for; return pairs and, by size or peer, why there are none."""
    pairs: list[Pair] = []
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="unmixel-bench-") as folder:
        for size in (SIZES[name] for name in asked.sizes):
            if size.missing:
                absent[size.name] = "the scan is not on this machine"
                continue
            file = Path(folder) / "counts.npy"
            run([sys.executable, str(HERE / "inputs.py"), size.name, str(file)])
            for peer in asked.peers or PEERS:
                if peer in absent:
                    continue
                if not asked.peers and size.name not in ALL[peer].sizes:
                    absent[f"{size.name}, {peer}"] = f"left out for its time; --peers {peer} measures it"
                    continue
                try:
                    python = interpreter(peer, asked.python)
                    for pair in in_turn(size, peer, asked.runs or size.runs, file, python):
                        pairs.append(pair)
                        say(f"{size.name}, {peer}, run {pair.run + 1}: "
                            f"{pair.theirs['wall_s']:.2f} s, ours {pair.ours['wall_s']:.2f} s")  # fmt: skip
                        if asked.out:  # after each, so that an interruption loses nothing
                            save(asked.out, pairs, absent=absent)
                except AbsentError:
                    absent[peer] = "not installed"
                except ChildFailedError as error:
                    say(str(error))
                    absent[f"{size.name}, {peer}"] = f"failed: {str(error).splitlines()[-1]}"
    if asked.out:
        save(asked.out, pairs, absent=absent)
    return pairs, absent


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a fit failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(USUAL), metavar="SIZE",
                        help=f"of {', '.join(SIZES)}")  # fmt: skip
    parser.add_argument("--peers", nargs="+", choices=PEERS, metavar="PEER",
                        help=f"of {', '.join(PEERS)}; named ones are measured at every size")  # fmt: skip
    parser.add_argument("--runs", type=int, help="pairs at every size")
    parser.add_argument("--python", help="interpreter that has HyperSpy")
    parser.add_argument("--threads", type=int, help="of BLAS and OpenMP, for all alike")
    parser.add_argument("--out", type=Path, help="JSON file")
    asked = parser.parse_args(words)
    for name in ("runs", "threads"):
        if getattr(asked, name) is not None and getattr(asked, name) < 1:
            parser.error(f"--{name}: expected at least 1")
    if asked.python and not shutil.which(asked.python):
        parser.error(f"--python: there is no program {asked.python}")
    if asked.threads:
        os.environ.update(dict.fromkeys(THREADS, str(asked.threads)))
    try:
        pairs, absent = compare(asked)
    except ChildFailedError as error:  # the table itself could not be made
        parser.exit(1, f"{error}\n")
    print(table(rows(pairs)) + disturbance(pairs) if pairs else "nothing was measured")
    for what, why in absent.items():
        print(f"{what}: {why}")
    return int(any(why.startswith("failed") for why in absent.values()))


if __name__ == "__main__":
    sys.exit(main())
