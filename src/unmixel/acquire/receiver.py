"""The thread that takes frames from a stream to the record, whatever else the computer is doing."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from unmixel.acquire.contract import Frames, Stream
from unmixel.acquire.recorder import Recorder

MOST_BYTES = 256_000_000
"""Bytes of frames that wait for the live view; what does not fit is read from the record later."""


@dataclass(eq=False)
class Receiver:
    """Records frames as they come and hands them on as long as there is room.

    Nobody can stop a detector: where the live view is slower, its frames are only recorded, and their numbers are kept
    in `later`.

    Parameters
    ----------
    stream : Stream
    recorder : Recorder
    n_wanted : int or None
        Frames after which the scan is full, where the stream has no end of its own.
    most_bytes : int
    """

    stream: Stream
    recorder: Recorder
    n_wanted: int | None = None
    most_bytes: int = MOST_BYTES
    n_frames: int = 0
    began_at: float | None = None
    last_at: float = 0.0
    fault: Exception | None = None
    later: list[NDArray[np.int64]] = field(default_factory=list, repr=False)
    _waiting: deque[Frames] = field(default_factory=deque, repr=False)
    _bytes: int = 0
    _ended: bool = False
    _news: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> None:
        """Begin to receive."""
        self._thread = threading.Thread(target=self._receive, name="unmixel-receive", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hang up and wait until the last frame is kept."""
        self.stream.close()
        if self._thread is not None:
            self._thread.join()

    def take(self, wait_s: float) -> Frames | None:
        """Return the next frames for the live view; None where none come for so many seconds, or ever."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._ended, wait_s)
            if not self._waiting:
                return None
            frames = self._waiting.popleft()
            self._bytes -= frames.values.nbytes
            return frames

    @property
    def ended(self) -> bool:
        """Whether no more frames will come; some may still wait to be taken."""
        return self._ended

    @property
    def full(self) -> float:
        """Share of the room for waiting frames that is taken."""
        return self._bytes / self.most_bytes

    @property
    def n_later(self) -> int:
        """Frames that the live view has to read from the record."""
        return sum(map(len, self.later))

    @property
    def rate(self) -> float:
        """Frames a second so far."""
        spent = self.last_at - (self.began_at or 0.0)
        return self.n_frames / spent if self.began_at is not None and spent > 0 else 0.0

    def _receive(self) -> None:
        try:
            for frames in self.stream.frames():
                self._take_in(frames)
                if self.n_wanted is not None and self.n_frames >= self.n_wanted:
                    break
        except Exception as error:  # noqa: BLE001 - whatever ends a thread is told by the one that waits for it
            self.fault = error
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _take_in(self, frames: Frames) -> None:
        self.began_at = monotonic() if self.began_at is None else self.began_at
        new = self.recorder.put(frames.numbers, frames.values)
        self.n_frames += int(np.count_nonzero(new))
        self.last_at = monotonic()
        if not new.all():
            frames = Frames(frames.numbers[new], frames.values[new])
        with self._news:
            if self._bytes + frames.values.nbytes > self.most_bytes:
                self.later.append(frames.numbers)
                return
            self._waiting.append(frames)
            self._bytes += frames.values.nbytes
            self._news.notify_all()
