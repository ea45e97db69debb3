"""Is this tree slower or worse than an earlier revision?  make bench-regression BASE=v1.2

Fits the small table on both trees in turn, with the same interpreter. Ends with status 1 where the working tree as it
stands is slower, or its exact error larger, than the limits allow.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from child import ChildFailedError, run
from inputs import ROOT, SIZES
from pairs import Pair, Record, disturbance, machine, write
from peers import OURS

HERE = Path(__file__).parent
SLOWER = 1.3  # times the base's seconds
WORSE = 1e-3  # share by which the exact error may rise


@dataclass(frozen=True)
class Verdict:
    """What the pairs say of head, as ratios of head to base.

    Parameters
    ----------
    base_s, head_s, seconds : float
        Medians of the wall seconds, and their ratio.
    base_mb, head_mb : float
        Medians of the peak memory above the input.
    memory : float or None
        Their ratio; None where the base needed none.
    base_error, head_error, error : float
        Medians of the exact relative error, and their ratio.
    slower, worse : bool
    """

    base_s: float
    head_s: float
    seconds: float
    base_mb: float
    head_mb: float
    memory: float | None
    base_error: float
    head_error: float
    error: float
    slower: bool
    worse: bool

    def __str__(self) -> str:
        memory = "" if self.memory is None else f"{self.memory:8.3f}"
        said = [word for word, true in (("slower", self.slower), ("less exact", self.worse)) if true]
        return "\n".join(
            [
                f"{'small, medians':24} {'base':>10} {'head':>10} {'head/base':>9}",
                f"{'seconds':24} {self.base_s:10.3f} {self.head_s:10.3f} {self.seconds:8.3f}",
                f"{'MB above the input':24} {self.base_mb:10.1f} {self.head_mb:10.1f} {memory}",
                f"{'exact error':24} {self.base_error:10.6f} {self.head_error:10.6f} {self.error:8.5f}",
                f"head is {' and '.join(said)} than base"
                if said
                else "head is neither slower nor less exact than base",
            ]
        )


def verdict(pairs: Sequence[Pair]) -> Verdict:
    """Judge pairs of base (theirs) and head (ours).

    Slower: the ratio of the medians is above `SLOWER`, and so is the ratio of every pair but at most one; a single
    disturbed run then decides nothing. Worse: the median error rose by more than `WORSE`.
    """
    medians = {
        (side, key): statistics.median(getattr(pair, side)[key] for pair in pairs)
        for side in ("theirs", "ours")
        for key in ("wall_s", "peak_mb", "error")
    }
    base_s, head_s = medians["theirs", "wall_s"], medians["ours", "wall_s"]
    base_mb, head_mb = medians["theirs", "peak_mb"], medians["ours", "peak_mb"]
    base_error, head_error = medians["theirs", "error"], medians["ours", "error"]
    slow = sum(pair.ours["wall_s"] > SLOWER * pair.theirs["wall_s"] for pair in pairs)
    return Verdict(
        base_s=base_s,
        head_s=head_s,
        seconds=head_s / base_s,
        base_mb=base_mb,
        head_mb=head_mb,
        memory=head_mb / base_mb if base_mb > 0 else None,
        base_error=base_error,
        head_error=head_error,
        error=head_error / base_error,
        slower=head_s > SLOWER * base_s and slow >= max(1, len(pairs) - 1),
        worse=head_error > base_error * (1 + WORSE),
    )


def git(root: Path, *words: str) -> str:
    """Return what git says; end with its message where it fails."""
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def commit(root: Path, revision: str) -> str:
    """Return the full name of the commit that a revision means."""
    return git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")


def default_base(root: Path) -> str:
    """Return where this branch left the main one; on the main one, the commit before."""
    head = git(root, "rev-parse", "HEAD")
    for main in ("origin/main", "main"):
        known = subprocess.run(
            ["git", "-C", str(root), "merge-base", "HEAD", main], capture_output=True, text=True
        )
        if known.returncode == 0 and known.stdout.strip() != head:
            return known.stdout.strip()
    return "HEAD~1"


@contextmanager
def worktree(root: Path, revision: str) -> Iterator[Path]:
    """Lend a folder with the files of a revision; nothing of it stays, whatever happens."""
    made_of = commit(root, revision)
    folder = Path(tempfile.mkdtemp(prefix="unmixel-base-"))
    tree = folder / "tree"
    try:
        git(root, "worktree", "add", "--detach", "--quiet", str(tree), made_of)
        yield tree
    finally:
        words = ["git", "-C", str(root), "worktree", "remove", "--force", str(tree)]
        removed = subprocess.run(words, capture_output=True).returncode == 0
        shutil.rmtree(folder, ignore_errors=True)
        if not removed:
            git(root, "worktree", "prune")


def described(tree: Path, folder: Path) -> dict[str, str]:
    """Return the environment in which Python finds the package of `tree` and the plug-ins that this tree names.

    Plug-ins are found by what the installer wrote, which knows one tree only: each tree gets a description of its own.
    """
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project.get("entry-points", {})
    text = "".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items())
        for group, points in groups.items()
    )
    (info / "entry_points.txt").write_text(text)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(tree / "src")])}


def measure(base: Path, runs: int, size_name: str = "small") -> list[Pair]:
    """Return pairs of fits on the tree at `base` and on the working tree, in turn."""
    size = SIZES[size_name]
    with tempfile.TemporaryDirectory(prefix="unmixel-bench-") as name:
        folder, file = Path(name), Path(name) / "counts.npy"
        settings = {tree: described(tree, folder / which) for which, tree in (("base", base), ("head", ROOT))}
        run([sys.executable, str(HERE / "inputs.py"), size.name, str(file)], env=settings[ROOT])

        def fit(tree: Path) -> Record:
            words = [str(HERE / "fit_once.py"), OURS, str(file), str(size.k), "--source", str(tree / "src")]
            printed, cost = run([sys.executable, *words], env=settings[tree])
            return {**json.loads(printed.splitlines()[-1]), "others": cost.others}

        return [Pair(size.name, "base", number, fit(base), fit(ROOT)) for number in range(runs)]


def main(words: Sequence[str] | None = None) -> int:
    """Print medians and verdict; return 1 where head is slower or worse, 2 where a fit failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", help="revision to compare with; else where the branch began, or HEAD~1")
    parser.add_argument("--runs", type=int, default=5, help="pairs")
    parser.add_argument("--out", type=Path, help="JSON file")
    asked = parser.parse_args(words)
    if asked.runs < 1:
        parser.error("--runs: expected at least 1")
    base = commit(ROOT, asked.base or default_base(ROOT))
    try:
        with worktree(ROOT, base) as tree:
            pairs = measure(tree, asked.runs)
    except ChildFailedError as error:
        print(error, file=sys.stderr)
        return 2
    found = verdict(pairs)
    print(f"base {base[:9]}, head the working tree, {asked.runs} pairs\n{found}{disturbance(pairs)}")
    if asked.out:
        more = {"base": base, "verdict": asdict(found), "pairs": [asdict(pair) for pair in pairs]}
        write(asked.out, {"machine": machine(pairs), **more})
    return int(found.slower or found.worse)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the worktree goes then, too
    sys.exit(main())
