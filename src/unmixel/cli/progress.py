"""Progress of a run or a conversion on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Any, Self

from unmixel.core.units import memory

_LINE_EVERY_S = 10.0


class Bars:
    """Draws stages, sweeps, bytes and remarks.

    Parameters
    ----------
    console : rich.console.Console
    """

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = console
        self._live = bool(console.is_terminal)
        self._said = monotonic()
        self._sweep = ""
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._bars.add_task("", total=None, detail="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def stage(self, name: str) -> None:
        """Name the stage."""
        self._sweep = ""
        if self._live:
            self._bars.reset(self._task, description=name, total=None, detail="")
        else:
            self._console.print(name, markup=False)

    def sweep(self, sweep: int, limit: int, objective: float) -> None:
        """Show sweep and objective."""
        self._sweep = f"sweep {sweep} of at most {limit}, objective {objective:.6g}"
        self._show(sweep, limit, self._sweep)

    def moved(self, n_bytes: int, total: int) -> None:
        """Show bytes."""
        self._show(n_bytes, total, f"{memory(n_bytes)} of {memory(total)}")

    def passed(self, done: int, of: int) -> None:
        """Show how far workers are with a pass, after the last sweep if there was one."""
        words = f"pass over the data: {done} of {of} parts"
        self._show(done, of, f"{self._sweep}; {words}" if self._sweep else words)

    def _show(self, done: int, total: int, detail: str) -> None:
        if self._live:
            self._bars.update(self._task, completed=done, total=total, detail=detail)
        elif monotonic() - self._said > _LINE_EVERY_S:
            self._said = monotonic()
            self._console.print(f"  {detail}", markup=False)

    def note(self, text: str) -> None:
        """Print a remark above the bar."""
        self._console.print(text, markup=False)
