"""``unmixel plan``: which dose and how many positions, or what a scan that is there can at best show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmixel.cli.output import err, out, print_json
from unmixel.core.errors import InputError, RunExistsError

if TYPE_CHECKING:
    from unmixel.dataset.planning import Goal, Outlook, Plan, Sample, Setup

_FRAMES = ("Hz", "fps", "1/s")


def plan(
    scan: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE_OR_RUN", help="Say what this scan can at best show, instead of planning one."
        ),
    ] = None,
    matrix: Annotated[str, typer.Option(metavar="glass", help="What the precipitates lie in.")] = "glass",
    size: Annotated[
        str | None, typer.Option("--size", metavar="7nm", help="Diameter of the precipitates to find.")
    ] = None,
    structure: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|FILE.cif", help="What they may be; may be given again. ZrO2 by default."),
    ] = None,
    orientations: Annotated[
        str,
        typer.Option(metavar="zone|random", help="Those on a low-index axis, or all of them."),
    ] = "zone",
    foil: Annotated[str, typer.Option(metavar="70nm", help="Thickness of the specimen.")] = "70nm",
    share: Annotated[float, typer.Option(metavar="0.01", help="Volume share of the precipitates.")] = 0.01,
    scattered: Annotated[
        float, typer.Option(metavar="0.35", help="Share of electrons outside the direct beam.")
    ] = 0.35,
    ring: Annotated[
        str, typer.Option(metavar="0.4/angstrom", help="First ring of the glass.")
    ] = "0.4/angstrom",
    probe: Annotated[
        str | None, typer.Option(metavar="1nm", help="Probe, full width at half maximum.")
    ] = None,
    step: Annotated[str | None, typer.Option(metavar="1nm", help="Scan step.")] = None,
    detector: Annotated[str, typer.Option(metavar="64x64", help="Pixels of the camera.")] = "64x64",
    angle_per_pixel: Annotated[
        str | None, typer.Option(metavar="0.022/angstrom", help="Of the camera; mrad will do as well.")
    ] = None,
    spot: Annotated[
        float | None,
        typer.Option(
            metavar="PX",
            help="Standard deviation of the direct beam; by default that of the probe's aperture.",
        ),
    ] = None,
    voltage: Annotated[str, typer.Option(metavar="300kV", help="Acceleration voltage.")] = "300kV",
    gain: Annotated[float, typer.Option(metavar="1", help="Counts per electron.")] = 1.0,
    probability: Annotated[
        float, typer.Option(metavar="0.9", help="With which one precipitate is to be found.")
    ] = 0.9,
    precipitates: Annotated[int, typer.Option(metavar="30", help="How many are to be found.")] = 30,
    dwell: Annotated[
        str, typer.Option(metavar="1ms", help="Time per position; or frames, as 1000fps.")
    ] = "1ms",
    confirm: Annotated[
        int, typer.Option(metavar="N", help="Simulate N scans at the recommended point and judge them.")
    ] = 0,
    to: Annotated[
        str | None,
        typer.Option("--out", metavar="F.png", help="Write the figure there, and F.json beside it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite both.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")
    ] = False,
) -> None:
    """Say which dose and how many positions find precipitates, or what a scan that is there can at best show."""
    target = None if to is None else _target(to, force=force)
    sizes = {"diameter_nm": size, "foil_nm": foil}
    wanted = _sample(matrix, sizes, structure, orientations, share, scattered, ring)
    goal = _goal(probability, precipitates, dwell)
    setup = None
    if scan is None:
        given = {"--size": size, "--probe": probe, "--step": step, "--angle-per-pixel": angle_per_pixel}
        _complete(given)
        setup = replace(_setup(probe, step, detector, angle_per_pixel, voltage, gain), spot_px=spot)
    elif any((size, probe, step, angle_per_pixel, confirm)):
        raise InputError(
            "unmixel plan",
            expected="either a scan (or a run), or --size, --probe, --step, --angle-per-pixel and --confirm",
            got="both",
            hint="leave them out: the scan says them",
        )
    from unmixel.lab.planning import plan as make

    console = err()

    def tell(text: str) -> None:
        console.print(text, markup=False)

    made: Plan | Outlook
    made = (
        make(wanted, goal=goal, scan=scan, tell=tell)
        if scan is not None
        else make(wanted, setup, goal, confirm=confirm, tell=tell)
    )
    _give(made, target, as_json=json)


def _target(name: str, *, force: bool) -> Path:
    """Return the figure's file, refusing one that would overwrite something."""
    path = Path(name)
    if path.suffix != ".png":
        raise InputError("--out", expected="a name that ends in .png", got=f"'{name}'", hint="e.g. plan.png")
    for file in (path, path.with_suffix(".json")):
        if file.exists() and not force:
            raise RunExistsError(
                f"The file '{file}' exists. Choose another name, or overwrite it with --force."
            )
    return path


def _complete(given: dict[str, str | None]) -> None:
    """Refuse a request that leaves out what nobody can guess."""
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise InputError(
            "unmixel plan",
            expected=f"{', '.join(given)} (or a scan to look at)",
            got=f"nothing for {', '.join(missing)}",
            hint="e.g. unmixel plan --size 7nm --probe 1nm --step 1nm --angle-per-pixel 0.022/angstrom",
        )


def _sample(
    matrix: str,
    sizes: dict[str, str | None],
    structure: list[str] | None,
    orientations: str,
    share: float,
    scattered: float,
    ring: str,
) -> Sample:
    from unmixel.core.units import quantity
    from unmixel.dataset.planning import Sample

    if matrix != "glass":
        raise InputError(
            "--matrix",
            expected="glass (the only matrix that is planned for)",
            got=repr(matrix),
            hint="leave it out",
        )
    lengths = {
        name: quantity(text, "--size" if name == "diameter_nm" else "--foil", "nm")[0]
        for name, text in sizes.items()
        if text is not None
    }
    if "diameter_nm" not in lengths:  # of a scan that is there, every size is looked at
        lengths["diameter_nm"] = min(Sample.diameter_nm, lengths["foil_nm"])
    return Sample(
        tuple(structure or ("ZrO2",)),
        orientations=orientations,  # type: ignore[arg-type]  # checked there
        volume_share=share,
        scattered=scattered,
        halo=quantity(ring, "--ring", "1/angstrom")[0],
        **lengths,
    )


def _setup(
    probe: str | None, step: str | None, detector: str, angle: str | None, voltage: str, gain: float
) -> Setup:
    from unmixel.core.units import quantity
    from unmixel.dataset.planning import Setup
    from unmixel.io.shape import parsed
    from unmixel.physics.wavelength import wavelength

    voltage_kV, _ = quantity(voltage, "--voltage", "kV")
    pixel, unit = quantity(str(angle), "--angle-per-pixel", "1/angstrom", "mrad")
    if unit == "mrad":
        pixel *= 1e-3 / wavelength(voltage_kV)
    shape = tuple(parsed(detector))
    return Setup(
        probe_nm=quantity(str(probe), "--probe", "nm")[0],
        step_nm=quantity(str(step), "--step", "nm")[0],
        detector=shape,  # type: ignore[arg-type]  # checked there
        pixel=pixel,
        voltage_kV=voltage_kV,
        gain=gain,
    )


def _goal(probability: float, precipitates: int, dwell: str) -> Goal:
    from unmixel.core.units import quantity
    from unmixel.dataset.planning import Goal

    unit = next((word for word in _FRAMES if dwell.strip().lower().endswith(word.lower())), None)
    if unit is None:
        seconds = quantity(dwell, "--dwell", "s")[0]
    else:
        try:
            seconds = 1 / float(dwell.strip()[: -len(unit)])
        except (ValueError, ZeroDivisionError):
            raise InputError(
                "--dwell",
                expected="a time or frames per second",
                got=repr(dwell),
                hint="write 1ms or 1000fps",
            ) from None
    return Goal(probability=probability, precipitates=precipitates, dwell_s=seconds)


def _give(made: Any, target: Path | None, *, as_json: bool) -> None:
    """Print what was made, and write its figure and its record."""
    from unmixel.dataset.planning import Plan
    from unmixel.lab.planning_words import described, headline, rows, sentences

    if target is not None:
        _write(made, target)
    if as_json:
        print_json(described(made))
        return
    if isinstance(made, Plan):
        out().print(headline(made), markup=False)
        _table(rows(made))
        for text in made.warnings:
            out().print(f"Note: {text}", markup=False)
    else:
        for text in sentences(made):
            out().print(text, markup=False)
    if target is not None:
        out().print(f"Figure: {target}; record: {target.with_suffix('.json')}", markup=False)


def _table(told: list[tuple[str, str, str]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for row in told:
        table.add_row(*map(escape, row))
    out().print(table)


def _write(made: Any, target: Path) -> None:
    import json

    from unmixel.dataset.planning import Plan
    from unmixel.io.atomic import write_bytes, write_text
    from unmixel.io.nexus import jsonable
    from unmixel.lab.planning_words import described
    from unmixel.report.canvas import png
    from unmixel.report.planning import figure_outlook, figure_plan

    figure = figure_plan(made) if isinstance(made, Plan) else figure_outlook(made)
    write_bytes(target, png(figure))
    text = json.dumps(jsonable(described(made)), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(target.with_suffix(".json"), text + "\n")
