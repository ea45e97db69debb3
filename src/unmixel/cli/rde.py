"""``unmixel rde``: the dataset template for RDE."""

from __future__ import annotations

from pathlib import Path

from unmixel.cli.output import out


def write_template(folder: str, *, force: bool) -> None:
    """Write a dataset template and say what to do with it."""
    from unmixel.rde.scaffold import init

    written = init(folder, force=force)
    console = out()
    for path in written:
        console.print(str(path), markup=False)
    container = Path(folder) / "container"
    console.print(f"To try it: put a scan into {container / 'data/inputdata'}, then", markup=False)
    console.print(f'  pip install "unmixel[fair]" && cd {container} && python main.py', markup=False)
