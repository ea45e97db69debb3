"""The command ``unmixel``: parse, call, print. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from unmixel import __version__
from unmixel.cli import lab, seeing, trail
from unmixel.cli.options import File, Flyback, Json, ScanShape
from unmixel.cli.plan import plan
from unmixel.core.errors import UnmixelError

REFUSED, UNEXPECTED, INTERRUPTED, TERMINATED = 2, 1, 130, 143
"""Exit codes: the user can mend it; a fault of ours; Ctrl-C; SIGTERM."""

_SAYINGS = {
    "components": "factorize.components",
    "engine": "factorize.engine",
    "scheduler": "factorize.scheduler",
    "workers": "factorize.workers",
    "promote_residual": "factorize.promote",
    "drop_flyback": "read.drop_flyback",
}
"""Options of ``unmixel run`` that stand for a field of the recipe, whose words they show."""


def _say(text: str) -> None:
    sys.stderr.write(f"unmixel: {text}\n")


class Guarded(TyperGroup):
    """Turns every error into one readable message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; with UNMIXEL_DEBUG set, errors keep their traceback."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt as stop:
            terminated = type(stop).__name__ == "Terminated"
            told = getattr(stop, "__notes__", ["What is done is kept; the same command goes on from there."])
            _say(f"interrupted. {' '.join(told)}")
            raise typer.Exit(TERMINATED if terminated else INTERRUPTED) from None
        except UnmixelError as error:
            if os.environ.get("UNMIXEL_DEBUG"):
                raise
            _say(str(error))
            raise typer.Exit(REFUSED) from None
        except Exception as error:
            usage = hasattr(error, "exit_code")  # typer tells a wrong option itself
            if usage or os.environ.get("UNMIXEL_DEBUG") or isinstance(error, BrokenPipeError):
                raise
            _say(f"unexpected {type(error).__name__}: {error} (UNMIXEL_DEBUG=1 shows where)")
            raise typer.Exit(UNEXPECTED) from None


class RecipeCommand(TyperCommand):
    """Shows the recipe's own words for its fields."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Fill in the descriptions of the fields, then print the help."""
        from unmixel.pipeline.reference import described, listing

        for option in self.params:
            if option.name in _SAYINGS:
                option.help = described(_SAYINGS[option.name])  # type: ignore[attr-defined]
        self.epilog = "Keys for --set:\n\n" + "\n\n".join(listing())
        super().format_help(ctx, formatter)


app = typer.Typer(
    name="unmixel",
    cls=Guarded,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"unmixel {__version__}")
        raise typer.Exit


@app.callback()
def unmixel(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Separate a scan of an electron microscope into a few physical patterns and maps."""


@app.command()
def info(file: File, json: Json = False, scan_shape: ScanShape = None, drop_flyback: Flyback = False) -> None:
    """Show what a file holds and whether its numbers can be trusted: the data card. Of a run, show how far it got."""
    from unmixel.cli.info import show

    show(file, as_json=json, scan_shape=scan_shape, drop_flyback=drop_flyback)


@app.command(cls=RecipeCommand)
def run(
    file: File,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", metavar="R.yaml", help="Recipe; the shipped one that suits the data by default."
        ),
    ] = None,
    components: Annotated[
        int | None, typer.Option("--components", "-k", metavar="K", help="Number of components.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change one value of the recipe; may be given again."
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Run folder; <file>.run here by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a run that is there.")] = False,
    json: Json = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show recipe, shapes, memory and time; do nothing.")
    ] = False,
    scan_shape: ScanShape = None,
    drop_flyback: Flyback = False,
    engine: Annotated[str | None, typer.Option(metavar="NAME", help="Where the arithmetic runs.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Scheduler whose workers go through the data.")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Workers started on this machine.")] = None,
    promote_residual: Annotated[
        int | None, typer.Option(metavar="P", help="Structures of the residual that become components.")
    ] = None,
    cif: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.cif",
            help="Structure that groups may be: a CIF file, a folder of them or a built-in cell; may be given again.",
        ),
    ] = None,
) -> None:
    """Separate a scan into components, group and measure them, and write everything to a run folder.

    The same command goes on with a run that was interrupted.
    """
    from unmixel.cli.run import Request, execute

    request = Request(
        file,
        recipe,
        tuple(set_ or ()),
        out,
        components,
        scan_shape,
        drop_flyback,
        engine,
        scheduler,
        workers,
        promote_residual,
        tuple(cif or ()),
    )
    execute(request, force=force, as_json=json, dry=dry_run)


@app.command()
def rank(
    file: File,
    ranks: Annotated[
        str | None,
        typer.Option(
            metavar="2..40", help="Numbers to try: 2..40, 2..40..4 or 2,5,9; by the noise edge by default."
        ),
    ] = None,
    restarts: Annotated[int, typer.Option(metavar="N", help="Factorisations of each.")] = 2,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="R.yaml", help="Steps and constraints; the shipped one by default."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change one value of the recipe; may be given again."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="F.html", help="Write figure and table there (.html or .png)."),
    ] = None,
    json: Json = False,
) -> None:
    """Say how many components a scan holds: noise edge, held-out electrons, agreement of restarts."""
    from unmixel.cli.rank import choose

    choose(
        file, ranks=ranks, restarts=restarts, recipe=recipe, sets=tuple(set_ or ()), target=out, as_json=json
    )


app.command()(plan)


@app.command()
def report(folder: Annotated[str, typer.Argument(metavar="DIR", help="Run folder.")]) -> None:
    """Write the report of a run anew from its results."""
    from unmixel.cli.report import rebuild

    rebuild(folder)


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run folder.")],
    to: Annotated[
        str,
        typer.Option("--to", metavar="FORMAT,...", help="Formats, such as hspy,csv; a wrong name lists all."),
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Where to; <run>.export here by default.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Ask the judge of each format.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace exports that are there.")] = False,
    keep_names: Annotated[
        bool, typer.Option("--keep-names", help="Keep names of users and machines, and whole paths.")
    ] = False,
    about: Annotated[
        str | None,
        typer.Option(metavar="ABOUT.yaml", help="What only you can say: title, licence, authors, sample."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a run in the formats of others: HyperSpy, py4DSTEM, ImageJ, tables and more."""
    from unmixel.cli.export import hand_over

    options = {"out": out, "check": check, "force": force, "keep_names": keep_names, "about": about}
    hand_over(run, to=to, as_json=json, **options)


@app.command()
def phantom(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="Such as demo:glass?scan=64x64&dose=40000&seed=1.")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="FILE.npz", help="Write scan and truth there; only described otherwise."
        ),
    ] = None,
    json: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Describe a phantom and its truth, and write both to a file."""
    from unmixel.cli.phantom import make

    make(spec, out=out, as_json=json, force=force)


@app.command()
def convert(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="File, zarr folder or address such as demo:glass.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="What to write; the suffix says how: .zarr, .zspy or .hspy.")
    ],
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="Memory for blocks of data, such as 500MB.")
    ] = "1GB",
    verify: Annotated[
        bool, typer.Option("--verify", help="Read it back, compare bit by bit, print the sha256.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a conversion that was cut off.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there, or begin anew.")] = False,
    json: Json = False,
    scan_shape: ScanShape = None,
    drop_flyback: Flyback = False,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which data of a file that holds several.")
    ] = None,
) -> None:
    """Convert a scan to compressed zarr, or to HyperSpy's files, without loss and in little memory."""
    from unmixel.cli.convert import Wish
    from unmixel.cli.convert import convert as execute

    wish = Wish(source, target, memory, scan_shape, drop_flyback, dataset)
    execute(wish, resume=resume, verify=verify, force=force, as_json=json)


rde = typer.Typer(
    no_args_is_help=True, help="RDE, the data store of NIMS: a dataset template that runs unmixel."
)
app.add_typer(rde, name="rde")


@rde.command()
def init(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder for the template.")],
    force: Annotated[bool, typer.Option("--force", help="Write over the files of a template there.")] = False,
) -> None:
    """Write a dataset template: container, metadata-def.json, invoice.schema.json, rdeconfig.yaml."""
    from unmixel.cli.rde import write_template

    write_template(folder, force=force)


seeing.add_to(app)
lab.add_to(app)
trail.add_to(app)


def _start_lightly() -> None:
    """Save CPU where most of it goes into imports: a data card leaves no garbage and multiplies no matrices."""
    if sys.argv[1:2] == ["info"]:
        gc.set_threshold(100_000, 50, 50)
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # idle BLAS threads burn CPU while they wait


def main() -> None:
    """Run the command line."""
    _start_lightly()
    app(prog_name="unmixel")
