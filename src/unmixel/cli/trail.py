"""``unmixel runs``, ``note`` and ``promote``: the trail of ideas as typer sees it; the work is in `unmixel.lab`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from unmixel.cli.options import Json, Lab

Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Trial: its whole id, its start, or the start of its last six letters."
    ),
]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILTER]...",
        help="Words, state=finished, since=2026-11-01, found>12; quote what has < or > in it.",
    ),
]


class ListsByDefault(TyperGroup):
    """What is no command of the group is a filter of its list."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``list`` before arguments that name no command."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


runs = typer.Typer(
    cls=ListsByDefault,
    help="Trials of ideas, searches and runs that were kept: 'unmixel runs [FILTER]...' lists them.",
)


@runs.command("list")
def list_(
    words: Words = None,
    lab: Lab = None,
    json: Json = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the index anew from the folders first.")
    ] = False,
) -> None:
    """List trials, oldest first; all of them without a filter."""
    from unmixel.cli.ledger import show

    show(words or (), lab=lab, as_json=json, rebuild=rebuild)


@runs.command("show")
def show_(trial: Id, lab: Lab = None, json: Json = False) -> None:
    """Show all that is known of one trial: hypothesis, conclusion, notes, measurements, where its files are."""
    from unmixel.cli.ledger import tell

    tell(trial, lab=lab, as_json=json)


@runs.command("add")
def add(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="Run folder of a finished 'unmixel run'.")],
    hypothesis: Annotated[str, typer.Option(metavar="TEXT", help="What was expected of it.")] = "",
    lab: Lab = None,
) -> None:
    """Enter a run of 'unmixel run' into the ledger."""
    from unmixel.cli.ledger import add as execute

    execute(folder, hypothesis=hypothesis, lab=lab)


@runs.command("export")
def export(
    mlflow: Annotated[
        str, typer.Option("--mlflow", metavar="URI", help="Tracking store, such as sqlite:///mlflow.db.")
    ],
    words: Words = None,
    lab: Lab = None,
) -> None:
    """Hand trials to MLflow (an extra); those that are there already are left alone."""
    from unmixel.cli.ledger import export as execute

    execute(words or (), uri=mlflow, lab=lab)


def note(
    trial: Id,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you learnt, in quotes.")],
    lab: Lab = None,
) -> None:
    """Write something down about a trial; it is kept with the time below its conclusion."""
    from unmixel.cli.ledger import note as execute

    execute(trial, text, lab=lab)


def promote(trial: Id, lab: Lab = None) -> None:
    """Make the recipe of a trial the one that others are compared with."""
    from unmixel.cli.ledger import promote as execute

    execute(trial, lab=lab)


def compare(
    what: Annotated[
        list[str],
        typer.Argument(metavar="A B...", help="Trials, run folders or bundles; the first is the reference."),
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="F.html", help="Where to write the page.")
    ] = "comparison.html",
    lab: Lab = None,
) -> None:
    """Write a page that shows trials or runs side by side: recipes, paired statistics, components, code."""
    from unmixel.cli.ledger import compare as execute

    execute(what, target=out, lab=lab)


def tune(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="R.yaml", help="Recipe to make better, or the id of a trial; its values are the baseline."
        ),
    ],
    over: Annotated[
        list[str],
        typer.Option(
            "--over", metavar="KEY=LOW..HIGH", help="What to search, or KEY=a|b|c; may be given again."
        ),
    ],
    trials: Annotated[int, typer.Option("--trials", metavar="N", min=1, help="Settings to try.")] = 30,
    suite: Annotated[
        str, typer.Option(metavar="NAME", help="Suite of scans that settings are measured on.")
    ] = "quick",
    seed: Annotated[int, typer.Option(metavar="N", help="Of the choice of settings.")] = 0,
    lab: Lab = None,
    json: Json = False,
) -> None:
    """Search for better values of a recipe, and confirm them on seeds that the search never saw.

    The same command goes on with a search that was interrupted.
    """
    from unmixel.cli.tune import tune as execute

    execute(recipe, over, trials=trials, suite=suite, seed=seed, lab=lab, as_json=json)


def plugins(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="Such as constraints; all kinds by default.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Such as sparse: what it is, and its parameters.")
    ] = None,
    laws: Annotated[
        bool, typer.Option("--laws", help="Hold each to the laws of its kind, in a process of its own.")
    ] = False,
    json: Json = False,
) -> None:
    """List the plug-ins that are installed: of which kind, from which package, and whether they keep their laws."""
    from unmixel.cli.plugins import describe, show

    if kind is not None and name is not None:
        describe(kind, name, as_json=json)
    else:
        show(kind, laws=laws, as_json=json)


def add_to(app: typer.Typer) -> None:
    """Put the commands of the trail into the command line."""
    app.add_typer(runs, name="runs")
    for command in (note, promote, compare, tune, plugins):
        app.command()(command)
