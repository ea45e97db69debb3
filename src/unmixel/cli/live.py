"""``unmixel live``: a scan while it is acquired."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from unmixel.cli.output import err, out, print_json
from unmixel.cli.progress import Bars
from unmixel.core.errors import InputError

if TYPE_CHECKING:
    from unmixel.acquire.acquisition import Acquisition, Status

_LINE_EVERY_S = 5.0
_SHOWN = 6
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class Wish:
    """What the command line asked for.

    Parameters
    ----------
    source : str
    out : str or None
    scan : str or None
        Argument of ``--scan``.
    recipe : str or None
    sets : tuple of str
        Arguments of ``--set``.
    components : int or None
    refresh, timeout : str
        Such as ``5s``.
    """

    source: str
    out: str | None = None
    scan: str | None = None
    recipe: str | None = None
    sets: tuple[str, ...] = ()
    components: int | None = None
    refresh: str = "5s"
    timeout: str = "30s"

    @property
    def overrides(self) -> tuple[str, ...]:
        """Everything that changes the recipe, as ``key=value``; options go before ``--set``."""
        return (
            self.sets if self.components is None else (*self.sets, f"factorize.components={self.components}")
        )


def seconds(text: str, option: str) -> float:
    """Return the seconds that a text such as ``5s``, ``500ms`` or ``2`` means.

    Raises
    ------
    InputError
        When it means none.

    Examples
    --------
    >>> seconds("5s", "--refresh"), seconds("500 ms", "--refresh"), seconds("2", "--refresh")
    (5.0, 0.5, 2.0)
    """
    number, factor = text.strip().lower(), 1.0
    for unit, value in (("ms", 1e-3), ("min", 60.0), ("s", 1.0)):
        if number.endswith(unit):
            number, factor = number.removesuffix(unit), value
            break
    try:
        return float(number) * factor
    except ValueError:
        raise InputError(
            option, expected="a time such as 5s", got=f"'{text}'", hint=f"e.g. {option} 5s"
        ) from None


class LiveBars(Bars):
    """Draws how an acquisition stands, too: a bar of frames, and of each component, on a terminal; lines elsewhere."""

    def __init__(self, console: Any) -> None:
        super().__init__(console)
        self._told = monotonic()
        self._refreshes = 0

    def seen(self, status: Status) -> None:
        """Show frames, rate and components."""
        detail = f"{status.n_frames} of {status.n_planned} frames, {status.rate:.0f}/s"
        if status.n_refreshes:
            detail += f", factors {status.n_refreshes} ({status.refresh_s:.1f} s): {bars(status.strengths)}"
        if status.n_later:
            detail += f", {status.n_later} to be seen later"
        elif status.full > 0.5:
            detail += f", waiting room {status.full:.0%} full"
        if self._live:
            self._bars.update(self._task, completed=status.n_frames, total=status.n_planned, detail=detail)
        elif monotonic() - self._told > _LINE_EVERY_S or status.n_refreshes > self._refreshes:
            self._told, self._refreshes = monotonic(), status.n_refreshes
            self._console.print(f"  {detail}", markup=False)


def bars(strengths: tuple[float, ...]) -> str:
    """Return shares as one block each, the strongest first.

    Examples
    --------
    >>> bars((0.8, 0.2))
    '█▎'
    """
    shown = sorted(strengths, reverse=True)[: 2 * _SHOWN]
    most = max(shown, default=0.0) or 1.0
    return "".join(_EIGHTHS[max(1, round(8 * share / most))] for share in shown)


def follow(wish: Wish, *, as_json: bool, unfinished: bool) -> bool:
    """Acquire, or finish what was left unfinished; print what came out; say whether the stream ended as planned."""
    from unmixel.acquire.acquisition import Live
    from unmixel.acquire.live import live, recover
    from unmixel.io.shape import parsed

    how = Live(
        scan_shape=parsed(wish.scan) if wish.scan else None,
        recipe=wish.recipe,
        overrides=wish.overrides,
        refresh_s=seconds(wish.refresh, "--refresh"),
        timeout_s=seconds(wish.timeout, "--timeout"),
    )
    with LiveBars(err()) as shown:
        if unfinished:
            done = recover(wish.source, how, progress=shown)
        else:
            done = live(wish.source, folder_for(wish), how, progress=shown)
    if as_json:
        print_json(described(done))
    else:
        for line in lines(done):
            out().print(line, markup=False)
    return not done.stopped


def folder_for(wish: Wish) -> Path:
    """Return the folder that was asked for, or ``<source>.live`` in the current directory."""
    from unmixel.pipeline.folder import stem

    if wish.out is not None:
        return Path(wish.out)
    name, _, place = wish.source.partition(":")
    return Path(f"{stem(place.split('#')[0]) if name == 'file' else name}.live")


def described(done: Acquisition) -> dict[str, Any]:
    """Return an acquisition JSON-safe."""
    from unmixel.pipeline.summary import summary

    return {
        "folder": str(done.folder),
        "record": str(done.record),
        "frames": done.n_frames,
        "frames_planned": done.n_planned,
        "frames_per_s": None if done.status is None else done.status.rate,
        "refreshes": 0 if done.status is None else done.status.n_refreshes,
        "stopped": done.stopped or None,
        "notes": list(done.notes),
        "seconds": dict(done.seconds),
        "result": None if done.result is None else summary(done.result),
    }


def lines(done: Acquisition) -> list[str]:
    """Return what is printed for people."""
    from unmixel.pipeline.summary import lines as result_lines

    told = [f"{done.record}: {done.n_frames} of {done.n_planned} frames"]
    if done.status is not None:
        told[0] += f", {done.status.rate:.0f} a second"
        told.append(
            f"After the last frame: record {done.seconds['record']:.1f} s, factors {done.seconds['factors']:.1f} s, "
            f"result {done.seconds['result']:.1f} s."
        )
    told += done.notes
    return told + ([] if done.result is None else result_lines(done.result))
