"""``unmixel try``, ``new`` and ``suite`` as typer sees them; the work is in `unmixel.lab`."""

from __future__ import annotations

from typing import Annotated

import typer

from unmixel.cli.options import Json, Lab

suite = typer.Typer(no_args_is_help=True, help="Suites: the scans on which ideas are tried.")


def try_(
    idea: Annotated[
        str, typer.Argument(metavar="IDEA.py", help="A Python file with one plug-in of any kind.")
    ],
    suite: Annotated[str, typer.Option(metavar="NAME", help="quick, full, or one that you added.")] = "quick",
    hypothesis: Annotated[
        str, typer.Option(metavar="TEXT", help="What you expect; kept with the trial.")
    ] = "",
    lab: Lab = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="That one run may take.")] = 120,
    memory_limit: Annotated[
        str, typer.Option(metavar="SIZE", help="Memory that one run may ask for, such as 4GB.")
    ] = "4GB",
    json: Json = False,
) -> None:
    """Try an idea: does it help, on which data, at what cost? Runs it beside the current best and prints a verdict."""
    from unmixel.cli.trying import attempt

    attempt(
        idea,
        suite=suite,
        hypothesis=hypothesis,
        lab=lab,
        time_limit=time_limit,
        memory=memory_limit,
        as_json=json,
    )


def new(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="constraint, step, start, loss, solver, refinement, distance, ...; or package.",
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Of the idea: small letters, digits and _; of a package also -."),
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="PATH", help="NAME.py, or for a package the folder NAME, by default."),
    ] = None,
) -> None:
    """Write a commented template of an idea that runs as it is, or a whole package with one plug-in."""
    from unmixel.cli.trying import write_new

    write_new(kind, name, target=out)


@suite.command("list")
def list_(lab: Lab = None, json: Json = False) -> None:
    """List all suites."""
    from unmixel.cli.trying import list_suites

    list_suites(lab, as_json=json)


@suite.command("show")
def show(name: Annotated[str, typer.Argument(metavar="NAME")], lab: Lab = None, json: Json = False) -> None:
    """Show the scans of a suite and what decides."""
    from unmixel.cli.trying import show_suite

    show_suite(name, lab, as_json=json)


@suite.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the suite; made by its first scan.")],
    scan: Annotated[
        str, typer.Argument(metavar="SCAN", help="File, zarr folder or address such as demo:glass.")
    ],
    truth: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Maps and patterns that are true: .npz, or a folder of .npy files."
        ),
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option("--candidate", metavar="NAME|CIF", help="A structure it may hold.")
    ] = None,
    lab: Lab = None,
) -> None:
    """Add a scan to a suite of your own; it stays where it is."""
    from unmixel.cli.trying import add_scan

    add_scan(name, scan, truth=truth, candidates=tuple(candidate or ()), lab=lab)


@suite.command("remove")
def remove(name: Annotated[str, typer.Argument(metavar="NAME")], lab: Lab = None) -> None:
    """Remove a suite of your own; its scans stay."""
    from unmixel.cli.trying import remove_suite

    remove_suite(name, lab)


def add_to(app: typer.Typer) -> None:
    """Put the commands of the loop into the command line."""
    app.command("try")(try_)
    app.command()(new)
    app.add_typer(suite, name="suite")
