"""``unmixel rank``: how many components a scan holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmixel.cli.output import err, out, print_json
from unmixel.core.errors import InputError

if TYPE_CHECKING:
    from unmixel.dataset.rank import RankChoice


def ranks_of(text: str) -> list[int]:
    """Return the numbers that ``2..40``, ``2..40..4`` (in steps) or ``2,5,9`` stand for.

    Raises
    ------
    InputError
        When it is none of these.

    Examples
    --------
    >>> ranks_of("2..10..4"), ranks_of("3,7")
    ([2, 6, 10], [3, 7])
    """
    try:
        if ".." in text:
            first, last, *step = (int(part) for part in text.split(".."))
            found = list(range(first, last + 1, *step[:1]))
        else:
            found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise InputError(
            "--ranks", expected="numbers >= 1 such as 2..40, 2..40..4 or 2,5,9", got=f"'{text}'", hint=""
        )
    return found


def choose(
    file: str,
    *,
    ranks: str | None,
    restarts: int,
    recipe: str | None,
    sets: tuple[str, ...],
    target: str | None,
    as_json: bool,
) -> None:
    """Prepare a scan by its recipe, weigh the evidence, print the recommendation and write the figure."""
    wanted = None if ranks is None else ranks_of(ranks)
    if target is not None and Path(target).suffix not in (".html", ".png"):
        raise InputError(
            "--out", expected="a name that ends in .html or .png", got=f"'{target}'", hint="e.g. rank.html"
        )
    from unmixel.pipeline.rank import rank

    console = err()
    choice = rank(
        file,
        recipe,
        ranks=wanted,
        restarts=restarts,
        overrides=sets,
        tell=lambda text: console.print(text, markup=False),
    )
    if target is not None:
        from unmixel.report.rank import write_rank

        write_rank(choice, Path(target), title=Path(file).name)
    if as_json:
        print_json(described(choice))
        return
    for line in lines(choice):
        out().print(line, markup=False)
    if target is not None:
        out().print(f"Figure: {target}", markup=False)


def described(choice: RankChoice) -> dict[str, Any]:
    """Return a choice JSON-safe."""
    edges = {
        name: {"above": edge.n_above, "edge": edge.edge, "noise": edge.noise, "values": edge.values.tolist()}
        for name, edge in (("plain", choice.plain), ("seen_through_physics", choice.edge))
    }
    left = choice.components
    components = (
        None
        if left is None
        else {"above": left.n_above, "edge": left.edge, "candidates": left.candidates, "apart": left.apart}
        | {"values": left.values.tolist()}
    )
    scores = [asdict(score) for score in choice.scores]
    for score in scores:
        score["stability"] = None if score["stability"] != score["stability"] else score["stability"]
    return {
        "n_components": choice.n_components,
        "reason": choice.reason,
        "most": choice.most,
        "verdict": choice.verdict,
        "method": choice.method,
        "noise_edge": edges,
        "components_edge": components,
        "scores": scores,
        "notes": list(choice.notes),
    }


def lines(choice: RankChoice) -> list[str]:
    """Return what is printed for people."""
    head = f"{'components':>10} {'held-out error':>20} {'confirmed':>9} {'stability':>9}"
    rows = [
        f"{s.n_components:>10} {f'{s.held_out:.0f} +- {s.uncertainty:.0f}':>20} {s.confirmed:>9} {s.stability:>9.2f}"
        for s in choice.scores
    ]
    above = f"Above the edge of the noise: {choice.plain.n_above} singular values"
    if choice.edge.seen_through:
        above += f"; seen through the physics, {choice.edge.n_above}"
    return [f"Recommended: {choice.reason}", choice.verdict, f"{above}.", head, *rows, *choice.notes]
