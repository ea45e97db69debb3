"""``unmixel report``: the page anew."""

from __future__ import annotations

from unmixel.cli.output import out


def rebuild(folder: str) -> None:
    """Write ``report.html`` of a run folder from what is stored there."""
    from unmixel.pipeline.kept import rewrite_report

    path = rewrite_report(folder)
    out().print(f"Report: {path}", markup=False)
