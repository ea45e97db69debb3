"""``unmixel open`` and ``live`` as typer sees them: what is there in the browser, what comes from a detector."""

from __future__ import annotations

from typing import Annotated

import typer

from unmixel.cli.options import Flyback, Json, ScanShape

EARLY = 3
"""Exit code of a stream that ended early."""


def open_(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE_OR_RUN...", help="Files, addresses and run folders.")
    ],
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Memory for pictures, such as 2GB.")] = "2GB",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; a free one by default.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the browser, or only print the address.")] = True,
    runs: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder for runs begun in the viewer; this one by default."),
    ] = None,
    cif: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.cif", help="Structure or folder of them to calibrate by and to name phases with."
        ),
    ] = None,
    scratch: Annotated[
        bool, typer.Option(help="Let a temporary file hold what does not fit the memory.")
    ] = True,
    root_path: Annotated[str, typer.Option(metavar="/PATH", help="Path under which a proxy shows it.")] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name by which a proxy calls it; may be given again."),
    ] = None,
    scan_shape: ScanShape = None,
    drop_flyback: Flyback = False,
) -> None:
    """Look at scans and runs in the browser, on this machine only: patterns, virtual detectors, results."""
    from unmixel.cli.open import Wish, show

    wish = Wish(tuple(files), memory, scan_shape, drop_flyback, runs, tuple(cif or ()), scratch)
    show(wish, port=port, hosts=tuple(allow_host or ()), root_path=root_path, browse=browser)


def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Where frames come from, such as merlin:HOST:6342 or file:SCAN#rate=1000; with --recover, the folder.",
        ),
    ],
    scan: Annotated[
        str | None,
        typer.Option(
            "--scan", metavar="ROWSxCOLUMNS", help="Shape of the scan, where the detector does not say it."
        ),
    ] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", metavar="R.yaml", help="As for run.")] = None,
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
        str | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for record, preview and result; <source>.live here."
        ),
    ] = None,
    refresh: Annotated[
        str, typer.Option(metavar="TIME", help="Time between refreshes of the factors; 0s: only the last.")
    ] = "5s",
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Silence after which the stream counts as broken.")
    ] = "30s",
    recover: Annotated[
        bool, typer.Option("--recover", help="Finish the record of an acquisition that was killed.")
    ] = False,
    json: Json = False,
) -> None:
    """Record a scan while it is acquired, show images and factors as they stand, and end with its result.

    Frames that came are kept, whatever happens. Exit code 3: the stream ended early, and the result is of what came.
    """
    from unmixel.cli.live import Wish, follow

    wish = Wish(source, out, scan, recipe, tuple(set_ or ()), components, refresh, timeout)
    if not follow(wish, as_json=json, unfinished=recover):
        raise typer.Exit(EARLY)


def add_to(app: typer.Typer) -> None:
    """Put the commands that show scans into the command line."""
    app.command("open")(open_)
    app.command()(live)
