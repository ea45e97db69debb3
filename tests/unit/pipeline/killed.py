"""Runs that are killed at random moments, and what they leave: for test_pipeline_killed.py.

``python killed.py KIND N SEED FOLDER`` forks N children one after the other, kills each (SIGKILL), looks at what lies
there and prints one JSON object a line. Children are forked from a process that has imported everything, so that the
moments fall into the work and not into imports.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.core.errors import ReadError
from unmixel.dataset.result import Result
from unmixel.io.atomic import write_bytes
from unmixel.io.store import read_bundle, write_bundle
from unmixel.pipeline import folder, partial, stages
from unmixel.pipeline.kept import load
from unmixel.pipeline.run import resume, run

HERE = Path(__file__).parent
RECIPE: dict[str, Any] = {
    "extends": "none",
    "factorize": {"components": 3, "max_iter": 6, "sketch_sweeps": 0, "tol": 0.0, "start": "random"},
    "interpret": {"group": {"rotation": {}}, "measure": {}},
}


def begun(work: Callable[[], Any]) -> int:
    """Do work in a child and return its number. The parent itself has no threads, which a fork would lose."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - told, and the child ends here
        traceback.print_exc()
        os._exit(1)


def killed(work: Callable[[], Any], after_s: float) -> None:
    """Do work in a child, which is killed after a time."""
    child = begun(work)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def done(work: Callable[[], Any]) -> float:
    """Do work in a child to its end and return how many seconds it took."""
    begin = time.perf_counter()
    assert os.waitpid(begun(work), 0)[1] == 0
    return time.perf_counter() - begin


def tell(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")


def variant(number: int) -> Result:
    """Return a result in which every array of the factors, of the groups and beside them holds one number."""
    from whole_result import whole

    def filled(noun: Any) -> Any:
        changes = {
            key: np.full_like(value, number) for key, value in vars(noun).items()
            if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        }  # fmt: skip
        return replace(noun, **changes)

    bare = whole()
    extras = {
        "noise": number + 0 * np.random.default_rng(number).random(3),
        "pad": np.random.default_rng(number).random(30_000),
    }
    return replace(
        bare,
        factors=filled(bare.factors),
        groups=filled(bare.groups),
        record={"number": number},
        extras=extras,
    )


def number_of(result: Result) -> int:
    """Return the number that a bundle holds, -1 where its parts do not agree."""
    assert result.groups is not None
    number = int(result.record["number"])
    parts = (result.maps, result.patterns, result.groups.maps, result.groups.linkage, result.extras["noise"])
    whole = all((np.asarray(part) == number).all() for part in parts)
    pad = np.random.default_rng(number).random(30_000)
    return number if whole and np.array_equal(result.extras["pad"], pad) else -1


def writers(n: int, rng: np.random.Generator, place: Path) -> None:
    """Kill processes that write one bundle over the other; made beforehand, so that they do nothing but write."""
    path, contents = place / "result.nxs", []
    for number in range(8):
        write_bundle(path, variant(number))
        contents.append(path.read_bytes())

    def work() -> None:
        while True:
            for content in contents:
                write_bytes(path, content)

    for _ in range(n):
        begun = path.stat().st_mtime_ns
        killed(work, float(rng.uniform(0.0, 0.06)))
        tell(number=number_of(read_bundle(path)), rewritten=path.stat().st_mtime_ns > begun)
        folder.clear_drafts(place, folder.OURS)
    tell(left=sorted(member.name for member in place.iterdir()))


def a_file(place: Path) -> Path:
    rng = np.random.default_rng(5)
    rates = rng.gamma(0.5, 60.0, (13 * 17, 3)) @ rng.dirichlet(np.full(21 * 18, 0.3), 3)
    path = place / "scan.npz"
    np.savez(path, data=rng.poisson(20 * rates).astype(np.uint16).reshape(13, 17, 21, 18))
    return path


def same(found: Result, wanted: Result) -> bool:
    return bool(
        np.array_equal(found.maps, wanted.maps)
        and np.array_equal(found.patterns, wanted.patterns)
        and found.groups is not None
        and wanted.groups is not None
        and np.array_equal(found.groups.labels, wanted.groups.labels)
        and found.factors.convergence == wanted.factors.convergence
    )


def jobs(n: int, rng: np.random.Generator, place: Path) -> None:
    """Kill whole runs, look at what they left, and go on with them."""
    stages.report = lambda result, path: path.write_text("page " * 20_000)  # type: ignore[assignment]
    partial.Pace.__init__.__defaults__ = (1.0,)
    file = a_file(place)

    def whole(out: Path) -> None:
        run(file, RECIPE, out=out, keep_every_s=0.0)  # written after every sweep, not every 20 s

    def first() -> None:
        whole(place / "whole.run")
        (place / "modules").write_text("\n".join(sys.modules))

    done(first)
    for name in (place / "modules").read_text().split("\n"):  # so that no child spends its time on imports
        with suppress(ImportError):
            import_module(name)
    wanted = load(place / "whole.run")
    takes = done(lambda: whole(place / "again.run"))
    for number in range(n):
        out = place / f"{number}.run"
        killed(lambda out=out: whole(out), float(rng.uniform(0.1 * takes, 1.3 * takes)))  # type: ignore[misc]
        status, seen, words = "none", "nothing", ""
        try:
            found = load(out)
            status = str(found.record["status"])
            seen = "partial" if "partial" in found.record else "result"
            sane = bool(np.isfinite(found.maps).all() and (found.maps >= 0).all())
            correct = sane if seen == "partial" or found.groups is None else same(found, wanted)
        except ReadError as error:
            correct, words = True, str(error)
        record = folder.RunFolder(out).record()
        if record is None or record["status"] != "finished":
            can = folder.RunFolder(out).given.exists()
            done(lambda out=out, can=can: resume(out) if can else whole(out))
        end = load(out)
        left = {member.name for member in out.iterdir()}
        tell(
            status=status, seen=seen, correct=correct, words=words, ends=same(end, wanted),
            litter=sorted(left - {".lock"} - {member.name for member in (place / "whole.run").iterdir()}),
        )  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads; there are none at work
    sys.path.insert(0, str(HERE.parent / "io"))
    kind, count, seed, target = sys.argv[1:]
    {"writers": writers, "jobs": jobs}[kind](int(count), np.random.default_rng(int(seed)), Path(target))
