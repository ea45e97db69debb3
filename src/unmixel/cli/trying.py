"""``unmixel try``, ``new`` and ``suite``: parse, call, print."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmixel.cli.output import err, out, print_json

if TYPE_CHECKING:
    from unmixel.lab.attempt import Tried
    from unmixel.lab.suites import Suites

_STYLES = {"better": "bold blue", "worse": "bold red", "no evidence": "dim"}


def attempt(
    idea: str,
    *,
    suite: str,
    hypothesis: str,
    lab: str | None,
    time_limit: float,
    memory: str,
    as_json: bool,
) -> None:
    """Try an idea and print its verdict."""
    from unmixel.cli.convert import bytes_of
    from unmixel.lab.attempt import try_idea

    console = err()
    limit = bytes_of(memory)
    with console.status("Checking the idea ...") as status:

        def tell(words: str) -> None:
            status.update(words)
            if not console.is_terminal:
                console.print(words, markup=False)

        tried = try_idea(
            idea,
            suite=suite,
            hypothesis=hypothesis,
            lab=lab,
            time_limit=time_limit,
            memory_limit=limit,
            tell=tell,
        )
    if as_json:
        print_json(described(tried))
    else:
        show(tried)


def described(tried: Tried) -> dict[str, Any]:
    """Return an idea that was tried, JSON-safe: what is no number is null."""

    def plain(value: Any) -> Any:
        infinite = isinstance(value, float) and not abs(value) < float("inf")
        return None if infinite else value

    rows = [{key: plain(value) for key, value in asdict(one).items()} for one in tried.verdict.comparisons]
    told = {key: getattr(tried, key) for key in ("id", "kind", "name", "suite", "baseline")}
    return told | {
        "folder": str(tried.folder),
        "verdict": tried.verdict.word,
        "sentence": tried.verdict.sentence,
        "metrics": rows,
    }


def show(tried: Tried) -> None:
    """Print the table of a verdict."""
    from rich.table import Table

    from unmixel.lab.table import HEAD, row

    table = Table(title=tried.title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for index, name in enumerate(HEAD):
        table.add_column(name, justify="left" if index in (0, 7) else "right", no_wrap=True)
    for one in tried.verdict.comparisons:
        table.add_row(*row(one), style=_STYLES[one.word] if one.better != "neither" else "dim")
    console = out()
    console.print(table)
    console.print()
    for line in tried.remarks:
        console.print(line, markup=False)


def write_new(kind: str, name: str, *, target: str | None) -> None:
    """Write a template, or a package around one, and say what to do with it."""
    if kind == "package":
        from unmixel.lab.new_package import new_package

        folder = new_package(name, target)
        out().print(
            f"Written: {folder}. Install and test it: cd {folder}; pip install -e '.[test]'; pytest",
            markup=False,
        )
        return
    from unmixel.lab.new_idea import new_idea

    path = new_idea(kind, name, target)
    out().print(f"Written: {path}. Try it: unmixel try {path}", markup=False)


def _suites(lab: str | None) -> Suites:
    from unmixel.lab.ledger import Ledger
    from unmixel.lab.suites import Suites

    return Suites(Path(lab) if lab is not None else Ledger.here().folder)


def list_suites(lab: str | None, *, as_json: bool) -> None:
    """Print every suite on a line."""
    suites = [_suites(lab).get(name) for name in _suites(lab).names()]
    if as_json:
        print_json(
            {
                one.name: {"about": one.about, "scans": len(one.cases), "seeds": len(one.seeds)}
                for one in suites
            }
        )
        return
    for one in suites:
        out().print(f"{one.name}: {one.about} ({len(one.cases) * len(one.seeds)} pairs)", markup=False)


def show_suite(name: str, lab: str | None, *, as_json: bool) -> None:
    """Print the scans of a suite."""
    from unmixel.lab.metrics import METRICS

    suite = _suites(lab).get(name)
    if as_json:
        print_json(asdict(suite))
        return
    console = out()
    console.print(f"{suite.name}: {suite.about}", markup=False)
    console.print(f"seeds: {', '.join(map(str, suite.seeds))}", markup=False)
    for one in suite.judged:
        console.print(
            f"judged by {one} ({METRICS[one].better} is better): {METRICS[one].meaning}", markup=False
        )
    for case in suite.cases:
        truth = "" if case.is_phantom else f", truth: {case.truth or 'none'}"
        console.print(f"{case.name}: {case.scan}{truth}", markup=False)


def add_scan(
    name: str, scan: str, *, truth: str | None, candidates: tuple[str, ...], lab: str | None
) -> None:
    """Add a scan to a suite and say by what ideas are judged there."""
    suite = _suites(lab).add(name, scan, truth=truth, candidates=candidates)
    out().print(
        f"Suite '{name}': {len(suite.cases)} scan{'s' if len(suite.cases) > 1 else ''}, {len(suite.seeds)} seeds each, "
        f"judged by {', '.join(suite.judged)}.",
        markup=False,
    )


def remove_suite(name: str, lab: str | None) -> None:
    """Remove a suite of the user's."""
    _suites(lab).remove(name)
    out().print(f"Removed: {name}. Its scans stay where they are.", markup=False)
