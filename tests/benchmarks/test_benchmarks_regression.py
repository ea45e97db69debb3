"""Head against base: the verdict on made-up pairs, the worktree that leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
import regression
from child import ChildFailedError, run
from pairs import Pair
from regression import default_base, described, verdict, worktree


def pairs_of(
    seconds: list[tuple[float, float]], *, errors: tuple[float, float] = (0.05, 0.05), mb: float = 10.0
) -> list[Pair]:
    return [
        Pair(
            "small",
            "base",
            number,
            {"wall_s": base, "peak_mb": mb, "error": errors[0]},
            {"wall_s": head, "peak_mb": 20.0, "error": errors[1]},
        )
        for number, (base, head) in enumerate(seconds)
    ]


@pytest.mark.parametrize(
    ("seconds", "slower"),
    [
        ([(1.0, 1.0)] * 5, False),
        ([(1.0, 0.1)] * 5, False),
        ([(1.0, 1.29)] * 5, False),
        ([(1.0, 1.4)] * 5, True),
        ([(1.0, 1.4)] * 4 + [(1.0, 1.0)], True),  # one pair in which the base was disturbed
        ([(1.0, 1.4)] * 3 + [(1.0, 1.0)] * 2, False),  # the medians differ, the pairs do not agree
        ([(1.0, 1.0)] * 4 + [(1.0, 50.0)], False),  # one pair in which the head was disturbed
        ([(1.0, 1.4), (10.0, 14.0), (3.0, 4.2)], True),  # a machine of changing speed
        ([(1.0, 1.4)], True),
        ([(1.0, 1.2)], False),
    ],
)
def test_slower_needs_the_medians_and_nearly_every_pair(
    seconds: list[tuple[float, float]], slower: bool
) -> None:
    found = verdict(pairs_of(seconds))
    assert found.slower is slower
    assert not found.worse
    assert ("head is slower than base" in str(found)) is slower


@pytest.mark.parametrize(("share", "worse"), [(0.5, False), (1.0, False), (1.0009, False), (1.0011, True)])
def test_worse_is_an_error_more_than_a_thousandth_above(share: float, worse: bool) -> None:
    found = verdict(pairs_of([(1.0, 1.0)] * 5, errors=(0.05, 0.05 * share)))
    assert found.worse is worse
    assert found.error == pytest.approx(share)
    assert ("head is less exact than base" in str(found)) is worse


def test_memory_is_shown_and_may_be_nothing() -> None:
    assert verdict(pairs_of([(1.0, 1.0)])).memory == 2.0
    assert verdict(pairs_of([(1.0, 1.0)], mb=0.0)).memory is None
    assert str(verdict(pairs_of([(1.0, 1.0)], mb=0.0)))


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(root), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with two commits on main, which differ in the file `which`."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    for word in ("first", "second"):
        (root / "which").write_text(word)
        git(root, "add", "which")
        git(root, "commit", "--quiet", "--message", word)
    return root


def nothing_left(root: Path, tree: Path) -> bool:
    return len(git(root, "worktree", "list").splitlines()) == 1 and not tree.parent.exists()


def test_worktree_holds_the_revision_and_goes(repository: Path) -> None:
    with worktree(repository, "HEAD~1") as tree:
        assert (tree / "which").read_text() == "first"
        assert len(git(repository, "worktree", "list").splitlines()) == 2
    assert nothing_left(repository, tree)
    assert (repository / "which").read_text() == "second"


@pytest.mark.parametrize("error", [ChildFailedError, KeyboardInterrupt, SystemExit])
def test_worktree_goes_on_failure(repository: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), worktree(repository, "HEAD") as tree:  # noqa: PT012
        (tree / "made-by-a-run").write_text("not tracked")
        raise error("stop")
    assert nothing_left(repository, tree)


def test_worktree_goes_even_where_its_folder_was_taken_away(repository: Path) -> None:
    with worktree(repository, "HEAD") as tree:
        tree.rename(repository.parent / "elsewhere")
    assert nothing_left(repository, tree)


def test_unknown_revision_is_told_before_anything_is_made(repository: Path) -> None:
    with pytest.raises(SystemExit, match="no-such-revision"), worktree(repository, "no-such-revision"):
        pytest.fail("lent a tree of nothing")
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_base_is_where_the_branch_began(repository: Path) -> None:
    assert default_base(repository) == "HEAD~1"
    began = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "--quiet", "-b", "work")
    for word in ("third", "fourth"):
        git(repository, "commit", "--quiet", "--allow-empty", "--message", word)
    assert default_base(repository) == began


def test_each_tree_is_found_with_its_own_plug_ins(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "unmixel"\nversion = "9.9"\n'
        '[project.entry-points."unmixel.solvers"]\nold = "unmixel.gone:Old"\n'
    )
    settings = described(tmp_path, tmp_path / "description")
    (found,) = distributions(path=[str(tmp_path / "description")])
    assert found.version == "9.9"
    code = "from importlib.metadata import entry_points; print([p.name for p in entry_points(group='unmixel.solvers')])"
    said, _ = run([sys.executable, "-c", code], env=settings)
    assert said.strip() == "['old']"  # not those of the installed one


@pytest.mark.parametrize(("seconds", "status"), [((1.0, 1.0), 0), ((1.0, 2.0), 1)])
def test_status_says_the_verdict(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: tuple[float, float],
    status: int,
) -> None:
    monkeypatch.setattr(regression, "ROOT", repository)
    monkeypatch.setattr(regression, "measure", lambda tree, runs: pairs_of([seconds] * runs))
    out = tmp_path / "regression.json"
    assert regression.main(["--base", "HEAD~1", "--runs", "3", "--out", str(out)]) == status
    kept = json.loads(out.read_text())
    assert kept["verdict"]["slower"] is bool(status)
    assert kept["base"] == git(repository, "rev-parse", "HEAD~1")
    assert len(kept["pairs"]) == 3


def test_failed_fit_is_no_verdict(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(tree: Path, runs: int) -> list[Pair]:
        raise ChildFailedError("no such module")

    monkeypatch.setattr(regression, "ROOT", repository)
    monkeypatch.setattr(regression, "measure", fail)
    assert regression.main(["--base", "HEAD~1"]) == 2
    assert "no such module" in capsys.readouterr().err
    assert len(git(repository, "worktree", "list").splitlines()) == 1
