"""The process in which an idea runs: ``python -m unmixel.lab.child`` in a folder with a job; never imported elsewhere.

It reads ``job.json`` (and ``scan.npz``), keeps itself within limits and fence, does the job and writes ``answer.json``.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unmixel.core import registry
from unmixel.core.errors import IdeaError
from unmixel.lab.idea import Idea, Loaded, load
from unmixel.lab.wall import (
    ANSWER,
    JOB,
    SCAN,
    Answer,
    FalseAnswerError,
    answer_file,
    check,
    check_groups,
    read_scan,
    write_answer,
)
from unmixel.lab.words import explained, said

Json = dict[str, Any]


def main() -> None:
    """Do the job in the current folder; whatever an idea does wrong is told in the answer."""
    job = json.loads(Path(JOB).read_text(encoding="utf-8"))
    _limit(job["limits"])
    ideas = [Idea(**one) for one in job["ideas"]]
    try:
        told = TASKS[job["task"]](job, ideas)
    except BaseException as error:  # noqa: BLE001 - SystemExit of an idea, too
        told = {"failed": _failure(error, ideas)}
    draft = Path(f"{ANSWER}.draft")
    draft.write_text(json.dumps(told), encoding="utf-8")
    draft.replace(f"{ANSWER}.json")
    sys.stdout.flush()
    os._exit(0)  # threads that an idea left behind do not keep the process


def _failure(error: BaseException, ideas: Sequence[Idea]) -> str:
    """Return what went wrong, in words."""
    files = {one.file for one in ideas}
    text = explained(error, files)
    if (
        isinstance(error, (IdeaError, FalseAnswerError))
        or text != said(error)
        or not ideas
        or isinstance(error, MemoryError)
    ):
        return text
    return f"unmixel cannot go on with it: {text}"


def _limit(limits: Mapping[str, float]) -> None:
    """Hold this process to its memory and processor time, where the system can."""
    with contextlib.suppress(ImportError):
        import resource

        for kind, value in (
            (resource.RLIMIT_AS, int(limits["bytes"])),
            (resource.RLIMIT_FSIZE, int(limits["bytes"])),
            (resource.RLIMIT_CPU, int(limits["seconds"]) + 2),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(kind)[1]
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (most, most))
    threading.Thread(target=_orphaned, daemon=True).start()
    faulthandler.enable()
    faulthandler.dump_traceback_later(0.9 * limits["seconds"], exit=False)


def _orphaned() -> None:
    """End with the process that asked: nobody else would stop this one."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@contextlib.contextmanager
def _registered(ideas: Sequence[Idea]) -> Iterator[list[Loaded]]:
    """Load ideas behind the fence and let them count as plug-ins."""
    from unmixel.lab.fence import fence

    fence(Path())
    with contextlib.ExitStack() as stack:
        loaded = [load(one) for one in ideas]
        for one in loaded:
            stack.enter_context(registry.lent(one.kind.group, one.plugin))
        yield loaded


def laws(job: Json, ideas: Sequence[Idea]) -> Json:
    """Return what the last idea is, and the laws of its kind that it breaks."""
    from unmixel.lab.laws import broken_laws

    with _registered(ideas) as loaded:
        tried = loaded[-1]
        tried.build()
        return {
            "kind": tried.kind.name,
            "name": tried.name,
            "class": tried.plugin.__name__,
            "broken": [asdict(one) for one in broken_laws(tried)],
        }


def run(job: Json, ideas: Sequence[Idea]) -> Json:
    """Separate the scan by each recipe and write the factors."""
    import importlib

    for module in ("unmixel.pipeline.resolve", "unmixel.pipeline.stages", "unmixel.interpret.cluster"):
        importlib.import_module(module)  # before the clock starts
    scan = read_scan(Path(SCAN))
    with _registered(ideas) as loaded:
        own = {one.kind.name: one for one in loaded[-1:]} if job["tried"] else {}
        for number, recipe in enumerate(job["recipes"]):
            write_answer(answer_file(Path(), number), _answer(scan, job, recipe, own))
    return {}


def _answer(scan: Any, job: Json, given: Json, own: Mapping[str, Loaded]) -> Answer:
    """Return what the recipe finds, with the idea that is tried where it is asked for."""
    from unmixel.pipeline import stages
    from unmixel.pipeline.recipe import Recipe
    from unmixel.pipeline.resolve import settle

    begun = time.perf_counter()
    recipe, _ = settle(Recipe.from_dict(given), scan)
    prepared = stages.prepare(scan, recipe, lambda name: None)
    _check_prepared(scan, prepared)
    factors = stages.factorize(
        prepared,
        recipe,
        on_sweep=lambda state: None,
        on_sketch=lambda state: None,
        resume=None,
        sketch=None,
        note=lambda text: None,
    )
    check(factors)
    groups = _grouped(factors, recipe)
    seconds = time.perf_counter() - begun
    names: tuple[str, ...] = ()
    if groups is not None and job.get("candidates"):
        begun = time.perf_counter()
        names = _names(groups, job, own.get("identifier"))
        seconds += time.perf_counter() - begun
    score = float("nan")
    if "score" in own:
        score = float(own["score"].build().score(prepared, factors))
    labels, crystalline = (None, None) if groups is None else (groups.labels, groups.crystalline)
    return Answer(factors, labels, crystalline, names, score, seconds)


def _check_prepared(scan: Any, prepared: Any) -> None:
    """Refuse data that no longer are of the scan, or no numbers."""
    import numpy as np

    if (prepared.scan_shape, prepared.pattern_shape) != (scan.scan_shape, scan.pattern_shape):
        raise FalseAnswerError(
            f"the preparation changes the grid from {scan.scan_shape} | {scan.pattern_shape} to {prepared.scan_shape} "
            f"| {prepared.pattern_shape}: what is found cannot be compared with what is known"
        )
    values = np.asarray(prepared.data)
    wrong = np.count_nonzero(~np.isfinite(values))
    if wrong:
        raise FalseAnswerError(
            f"the preparation leaves {wrong} of {values.size} values that are NaN or infinite"
        )
    if values.min() < 0:
        raise FalseAnswerError(f"the preparation leaves negative values, the lowest {values.min():.3g}")


def _grouped(factors: Any, recipe: Any) -> Any:
    from unmixel.pipeline.entries import Entry

    how = recipe.interpret.group
    if not isinstance(how, Entry):
        return None
    groups = how.build("clusterers").group(factors, seed=recipe.factorize.seed)
    check_groups(groups.labels, groups.crystalline, len(factors.maps))
    return groups


def _names(groups: Any, job: Json, identifier: Loaded | None) -> tuple[str, ...]:
    """Return the names of groups, by the idea where it is an identifier."""
    from unmixel.interpret.phases import identify
    from unmixel.physics.cells import structures

    voltage = float(job.get("voltage_kV") or 300.0)
    candidates = tuple(structures(job["candidates"]))
    if identifier is None:
        found: Sequence[str] = [one.phase for one in identify(groups, candidates, voltage_kV=voltage)]
    else:
        found = identifier.build().identify(groups, candidates, voltage_kV=voltage)
    if len(found) != groups.n_groups:
        raise FalseAnswerError(f"{len(found)} names came out for {groups.n_groups} groups")
    return tuple(str(one) for one in found)


TASKS = {"laws": laws, "run": run}

if __name__ == "__main__":
    main()
