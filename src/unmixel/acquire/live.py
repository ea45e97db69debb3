"""A scan while it is acquired: recorded, seen, factorised; in the end the result that its file gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np

from unmixel.acquire.acquisition import (
    IMAGES,
    PREVIEW,
    RECORD,
    RUN,
    Acquisition,
    Live,
    Spectator,
    Status,
    Unseen,
)
from unmixel.acquire.contract import Stream, connect
from unmixel.acquire.receiver import Receiver
from unmixel.acquire.recorder import Recorder
from unmixel.acquire.skeleton import skeleton
from unmixel.acquire.watch import Watch
from unmixel.core.errors import RunExistsError, StreamError
from unmixel.dataset.result import Result
from unmixel.io.atomic import replacing, write_bytes
from unmixel.io.open import open as open_scan
from unmixel.pipeline.progress import Progress, Silent
from unmixel.pipeline.resolve import Request
from unmixel.pipeline.run import run
from unmixel.pipeline.signals import interruptible, shielded

_TICK_S = 0.2


def live(
    source: str, folder: str | Path, how: Live | None = None, *, progress: Spectator | None = None
) -> Acquisition:
    """Record a scan from a detector, show images and factors while it comes, and end with its result.

    Parameters are those of `acquire`.

    Raises
    ------
    UnmixelError
        As `acquire` and `unmixel.run`.

    Examples
    --------
    >>> done = live("merlin:192.168.1.2:6342", "grain-7.live", Live((256, 256)))  # doctest: +SKIP
    """
    how, listener = how or Live(), progress or Unseen()
    done = acquire(source, folder, how, progress=listener)
    since = done.seconds["factors"] - monotonic()
    # the rest of the address may name a machine
    result = _result(done, how, listener, f"unmixel live {source.partition(':')[0]}:...")
    return replace(done, result=result, seconds={**done.seconds, "result": monotonic() + since})


def acquire(
    source: str, folder: str | Path, how: Live | None = None, *, progress: Spectator | None = None
) -> Acquisition:
    """Record a scan from a detector, and show images and factors while it comes.

    Whatever happens to stream or process, the frames that came are kept.

    Parameters
    ----------
    source : str
        Address such as ``merlin:192.168.1.2:6342`` or ``file:scan.zspy#rate=1000``.
    folder : path
        New, or empty: for the record, the run and the preview.
    how : Live, optional
    progress : Spectator, optional

    Returns
    -------
    Acquisition
        Without a result.

    Raises
    ------
    InputError, RecipeError, StreamError
        When the detector cannot be reached or what was asked for does not fit; nothing is recorded then. A stream that
        breaks off later is told in `Acquisition.stopped`.
    RunExistsError
        When there is something in the folder.
    DiskFullError
        When there is no room left: what came is kept, for `recover`.
    """
    how, listener = how or Live(), progress or Unseen()
    place, request = Path(folder), Request.of(how.recipe, how.overrides)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise RunExistsError(
            f"'{place}' is there and not empty. Choose another folder with --out; records are never overwritten."
        )
    with interruptible():
        listener.stage(f"wait for {source}")
        stream = connect(source, timeout_s=how.timeout_s)
        try:
            coming = skeleton(stream.heading, how.scan_shape)
            request.recipe_for(coming)
            place.mkdir(parents=True, exist_ok=True)
        except BaseException:
            stream.close()
            raise
        for text in coming.source.notes:
            listener.note(text)
        watch = Watch(coming, request, listener.note, lambda seen: _show(seen, place), how.refresh_s)
        receiver, notes, seconds = _acquired(stream, watch, place, listener)
        status = Status.of(receiver, watch)
        seconds |= _seen_whole(receiver, watch, place, listener)
    stopped = "" if receiver.fault is None else str(receiver.fault)
    factors = None if watch.factors is None else watch.factors.factors
    counts = receiver.n_frames, coming.n_positions
    return Acquisition(place, *counts, status, factors, stopped, notes, seconds)


def recover(folder: str | Path, how: Live | None = None, *, progress: Progress | None = None) -> Acquisition:
    """Finish the record of an acquisition that was killed, or whose disk was full, and give its result.

    Parameters
    ----------
    folder : path
        As it was given to `acquire` or `live`.
    how : Live, optional
        Its recipe.
    progress : Progress, optional

    Raises
    ------
    ReadError
        When there is no record that was not finished.
    """
    how, place, listener = how or Live(), Path(folder), progress or Silent()
    with interruptible(), Recorder.found(place / RECORD).claimed() as recorder:
        said = f"The acquisition ended without a word; {recorder.n_kept} frames had come."
        notes = (said, *_told(recorder))
        for text in notes:
            listener.note(text)
        counts = recorder.n_kept, recorder.skeleton.n_positions
        _kept(recorder, (said,))
    done = Acquisition(place, *counts, stopped=said, notes=notes)
    return replace(done, result=_result(done, how, listener, "unmixel live ... --recover"))


def _result(done: Acquisition, how: Live, listener: Progress, command: str) -> Result:
    """Return what `unmixel.run` gives for a record, beside it."""
    return run(
        done.record,
        how.recipe,
        out=done.folder / RUN,
        overrides=how.overrides,
        progress=listener,
        command=command,
    )


def _acquired(
    stream: Stream, watch: Watch, place: Path, listener: Spectator
) -> tuple[Receiver, tuple[str, ...], dict[str, float]]:
    """Receive until the stream ends; return what received, what was amiss, and times. The record has its name then."""
    with Recorder.begin(watch.skeleton, place / RECORD).claimed() as recorder:
        endless = stream.heading.n_frames is None
        receiver = Receiver(stream, recorder, watch.skeleton.n_positions if endless else None)
        try:
            with _received(receiver):
                listener.stage("acquire")
                while not receiver.ended:
                    frames = receiver.take(_TICK_S)
                    if frames is not None:
                        watch.take(frames)
                    listener.seen(Status.of(receiver, watch))
        except BaseException as stop:
            with shielded():
                _kept(recorder, ("The acquisition was interrupted.",))
            stop.add_note(
                f"{recorder.n_kept} of {watch.skeleton.n_positions} frames are kept. Their result: "
                f"unmixel run {place / RECORD}"
            )
            raise
        stream_s = receiver.last_at - (receiver.began_at or receiver.last_at)
        if receiver.fault is not None and not isinstance(receiver.fault, StreamError):
            raise receiver.fault
        said = () if receiver.fault is None else (f"The stream ended early: {receiver.fault}",)
        for text in (*said, *_told(recorder)):
            listener.note(text)
        _kept(recorder, said)
        return receiver, _told(recorder), {"stream": stream_s, "record": monotonic() - receiver.last_at}


@contextmanager
def _received(receiver: Receiver) -> Iterator[None]:
    """Receive meanwhile; at the end the last frame is in its place, whatever happened."""
    receiver.start()
    try:
        yield
    finally:
        receiver.stop()


def _kept(recorder: Recorder, said: tuple[str, ...]) -> None:
    """Give the record its name, or refuse where not one frame has come."""
    if not recorder.n_kept:
        recorder.discard()
        raise StreamError(
            "the stream",
            expected="frames",
            got=said[0] if said else "none",
            hint="nothing was recorded; start again",
        )
    recorder.finish((*said, *_told(recorder)))


def _told(recorder: Recorder) -> tuple[str, ...]:
    """Return in words what was lost, came twice or came beyond the record."""
    scan = recorder.scan()
    n_lost = scan.n_positions - recorder.n_kept
    short = recorder.skeleton.n_positions - scan.n_positions
    told = []
    if n_lost:
        told.append(f"{n_lost} frames of {scan.n_positions} positions never came; their weight is 0.")
    if short > 0:
        told.append(
            f"The scan ends early: {recorder.n_kept} of {recorder.skeleton.n_positions} frames came, so that the "
            f"record has {' x '.join(map(str, scan.scan_shape))} positions."
        )
    if short < 0:
        told.append(f"{-short} frames more than the scan has came; the record has them in further rows.")
    if recorder.n_again:
        told.append(
            f"{recorder.n_again} frames came again with a number that had come; the first ones are kept."
        )
    if recorder.n_beyond:
        told.append(f"{recorder.n_beyond} frames had numbers far beyond the scan and are not kept.")
    return tuple(told)


def _seen_whole(receiver: Receiver, watch: Watch, place: Path, listener: Spectator) -> dict[str, float]:
    """Let the live view take in what it had no time for, refresh it for the last time, write its images."""
    try:
        while (frames := receiver.take(0.0)) is not None:
            watch.take(frames)
        if receiver.later:
            listener.note(
                f"{receiver.n_later} of {receiver.n_frames} frames came faster than the live view could take them; "
                "they were recorded at once and are taken in now."
            )
            listener.stage("catch up")
            watch.catch_up(open_scan(place / RECORD), np.concatenate(receiver.later))
        watch.end()
    finally:
        watch.close()
    if watch.images is not None:
        with replacing(place / IMAGES) as draft:
            np.savez_compressed(draft, **watch.images.pictures())  # type: ignore[arg-type]
    return {"factors": monotonic() - receiver.last_at}


def _show(watch: Watch, place: Path) -> None:
    """Write the preview."""
    from unmixel.report.canvas import png
    from unmixel.report.live import figure_live

    assert watch.images is not None
    assert watch.factors is not None
    factors = watch.factors.factors
    if factors is not None:
        seen = int(np.count_nonzero(watch.images.seen))
        figure = figure_live(watch.images.pictures(), factors, n_frames=seen)
        write_bytes(place / PREVIEW, png(figure, dpi=96))
