"""Arguments and options that several commands share, in the same words."""

from __future__ import annotations

from typing import Annotated

import typer

File = Annotated[str, typer.Argument(metavar="FILE", help="File, zarr folder or address such as demo:glass.")]
ScanShape = Annotated[
    str | None,
    typer.Option(metavar="ROWSxCOLUMNS", help="Shape of the scan, where the file does not say it."),
]
Flyback = Annotated[bool, typer.Option("--drop-flyback", help="Leave out the flyback column of each row.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]
Lab = Annotated[
    str | None,
    typer.Option(
        "--lab", metavar="FOLDER", help="Ledger and suites; UNMIXEL_LAB or ./unmixel-lab by default."
    ),
]
