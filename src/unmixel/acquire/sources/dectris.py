"""DECTRIS (SIMPLON stream, version 1) over ZeroMQ: a header of the series, then images one by one, then its end.

A message has parts: words in JSON, which begin with ``htype``, and the packed pixels between them. Images carry the
number of their series and their own in it. What is read here is what the detector pushes; nothing is sent to it.

References
----------
DECTRIS, SIMPLON API Reference 1.8, chapter "Stream".
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from threading import Event, Lock
from time import monotonic
from typing import Any, ClassVar

import numpy as np

from unmixel.acquire.contract import Address, Frames, Heading
from unmixel.core.errors import InputError, MissingExtraError, StreamError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Instrument
from unmixel.io.packed_frames import Unpacker

PORT = 9999
"""Where a DECTRIS detector pushes its stream."""

_AT_ONCE = 8_000_000
_HAND_OUT_S = 0.05
_KINDS = ("uint8", "uint16", "uint32")
_OVER = {"what": "the stream", "hint": "check whether the series was stopped at the detector"}


@dataclass(eq=False)
class Line:
    """A socket that messages are pulled from; one thread at a time, and `close` from any.

    Parameters
    ----------
    context, socket : zmq.Context, zmq.Socket
    """

    context: Any
    socket: Any
    closed: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def to(cls, host: str, port: int) -> Line:
        """Return a line to a detector that pushes."""
        try:
            zmq: Any = import_module("zmq")  # its names are made at run time
        except ImportError as error:
            raise MissingExtraError(
                "zmq", extra="live", purpose="Taking frames from a DECTRIS detector"
            ) from error
        context = zmq.Context()
        line = context.socket(zmq.PULL)
        line.connect(f"tcp://{host}:{port}")
        return cls(context, line)

    def pull(self) -> list[bytes]:
        """Return the parts of the next message; none where none comes within a moment, or we have hung up."""
        with self._lock:
            if not self.closed.is_set() and self.socket.poll(int(1000 * _HAND_OUT_S)):
                parts: list[bytes] = self.socket.recv_multipart()
                return parts
        return []

    def close(self) -> None:
        """Hang up."""
        self.closed.set()
        with self._lock:
            self.context.destroy(linger=0)


@dataclass(frozen=True)
class Image:
    """One frame as it came.

    Parameters
    ----------
    series, number : int
        Of the acquisition, and of the frame in it, from 0.
    shape : (int, int)
        Rows and columns.
    kind, encoding : str
        ``uint16`` and ``bs16-lz4<``.
    blob : bytes
    """

    series: int
    number: int
    shape: tuple[int, int]
    kind: str
    encoding: str
    blob: bytes = field(repr=False)

    @classmethod
    def of(cls, parts: list[bytes], said: Mapping[str, Any]) -> Image:
        """Return the image of a message whose first part says `said`.

        Raises
        ------
        StreamError
            When it is none.
        """
        try:
            form = json.loads(parts[1])
            columns, rows = (int(n) for n in form["shape"])
            image = cls(
                int(said["series"]),
                int(said["frame"]),
                (rows, columns),
                form["type"],
                form["encoding"],
                parts[2],
            )
        except (IndexError, KeyError, TypeError, ValueError):
            raise _strange(b"".join(parts[:2])) from None
        if image.kind not in _KINDS or min(rows, columns) < 1 or image.number < 0:
            raise _strange(parts[1])
        return image

    def __str__(self) -> str:
        rows, columns = self.shape
        return f"{rows} x {columns} pixels of {self.kind}, {self.encoding}"


@dataclass(eq=False)
class DectrisStream:
    """One series of a DECTRIS detector.

    Parameters
    ----------
    heading : Heading
    line : Line
    first : Image
    timeout_s : float
    """

    heading: Heading
    line: Line
    first: Image
    timeout_s: float

    def __post_init__(self) -> None:
        self._unpack = _unpacker(self.first)
        self._alike = replace(self.first, number=0, blob=b"")
        self._highest = -1

    def frames(self) -> Iterator[Frames]:
        """Yield frames as they come, until the series has as many as it said, or has ended."""
        count = max(1, min(256, _AT_ONCE // self._unpack.n_bytes))
        fault, handed = None, monotonic()
        values, numbers = np.empty((count, *self.first.shape), self.heading.dtype), np.empty(count, np.int64)
        filled = 0
        try:
            for image in self._images():
                if image is not None:
                    self._take(image, values[filled])
                    numbers[filled] = image.number
                    filled += 1
                if filled == count or (filled and monotonic() - handed >= _HAND_OUT_S):
                    whole = filled == count
                    yield Frames(numbers[:filled].copy(), values if whole else values[:filled].copy())
                    values = np.empty_like(values) if whole else values
                    filled, handed = 0, monotonic()
        except StreamError as error:
            fault = error
        if filled:
            yield Frames(numbers[:filled], values[:filled])
        if fault is not None:
            raise fault

    def close(self) -> None:
        """Hang up."""
        self.line.close()

    def _images(self) -> Iterator[Image | None]:
        """Yield images, and None in every moment in which none comes."""
        planned, heard, count = self.heading.n_frames, monotonic(), 1
        yield self.first
        while planned is None or count < planned:
            parts = self.line.pull()
            if self.line.closed.is_set():
                return
            if not parts:
                if monotonic() - heard > self.timeout_s:
                    break
                yield None
                continue
            heard, said = monotonic(), _said(parts[0])
            if said.get("htype") == "dimage-1.0":
                yield self._fitting(Image.of(parts, said))
                count += 1
            elif said.get("htype") == "dheader-1.0":
                raise StreamError(expected="frames of the series", got="the header of another one", **_OVER)
            elif said.get("htype") == "dseries_end-1.0" and said.get("series") == self.first.series:
                self._check_last(f"its end after frame {self._highest + 1}")
                return
        else:
            return
        self._check_last(f"silence for {self.timeout_s:g} s")

    def _check_last(self, got: str) -> None:
        """Raise where the last frame that was planned has not come; frames before it may be lost."""
        planned = self.heading.n_frames
        ended = got.startswith("its end") if planned is None else self._highest >= planned - 1
        if not ended:
            expected = f"{planned} frames" if planned else "frames until the end of the series"
            raise StreamError(expected=expected, got=got, **_OVER)

    def _fitting(self, image: Image) -> Image:
        alike = replace(image, number=0, blob=b"")
        if alike != self._alike:
            other = "" if image.series == self.first.series else " of another series"
            raise StreamError(
                "the stream",
                expected=f"frames of {self.first}",
                got=f"one of {image}{other}",
                hint="do not change the detector's settings during a scan",
            )
        return image

    def _take(self, image: Image, into: Any) -> None:
        try:
            self._unpack(image.blob, into)
        except ValueError as error:
            raise StreamError(
                "the stream",
                expected=f"frames of {self.first}",
                got=f"frame {image.number + 1} with {error}",
                hint="check the network, and the detector's software",
            ) from error
        self._highest = max(self._highest, image.number)


@dataclass(frozen=True)
class DectrisSource:
    """A DECTRIS detector, or a simulator of one, that pushes the stream of SIMPLON, version 1 ("legacy").

    Nothing is sent to the detector: switch its stream on, arm and trigger it with its own software. Frames are as its
    files hold them: they are not turned, and pixels that it masks keep the highest number of their type.
    """

    name: ClassVar[str] = "dectris"
    usage: ClassVar[str] = f"dectris:HOST:{PORT}"

    def connect(self, address: Address, *, timeout_s: float) -> DectrisStream:
        """Return the next series, once its header and first image have come."""
        address.refuse_others()
        line = Line.to(*_reached(address, timeout_s))
        try:
            config, passed, first = _opening(line, timeout_s)
            return DectrisStream(_heading(config, passed, first), line, first, timeout_s)
        except BaseException:
            line.close()
            raise


def _reached(address: Address, timeout_s: float) -> tuple[str, int]:
    """Return host and port when somebody is there: a ZeroMQ socket itself would wait for ever, and say nothing."""
    host, _, port = address.place.partition(":")
    if not host or (port and not port.isdigit()):
        raise InputError(
            "SOURCE",
            expected=DectrisSource.usage,
            got=f"'dectris:{address.place}'",
            hint="give host and port",
        )
    try:
        socket.create_connection((host, int(port or PORT)), timeout=timeout_s).close()
    except (OSError, OverflowError) as error:
        raise StreamError(
            f"dectris:{address.place}",
            expected="a detector that pushes a stream",
            got=getattr(error, "strerror", None) or str(error),
            hint="switch the detector's stream on, and check host and port (9999 for data, not 80)",
        ) from error
    return host, int(port or PORT)


def _opening(line: Line, timeout_s: float) -> tuple[dict[str, Any], int, Image]:
    """Return what the next series says of itself, images of an earlier one that were passed over, its first image.

    Raises
    ------
    StreamError
        When the messages are in another language, or a series that was under way has ended and none follows.
    """
    config: dict[str, Any] = {}
    passed, heard = 0, monotonic()
    while True:
        parts = line.pull()
        if not parts:
            if passed and not config and monotonic() - heard > timeout_s:
                raise StreamError(
                    "the stream",
                    expected="the header of a series",
                    got=f"{passed} frames of one that had begun before, then silence for {timeout_s:g} s",
                    hint="start the command before the detector is armed",
                )
            continue
        heard, said = monotonic(), _said(parts[0])
        match said.get("htype"):
            case "dheader-1.0":  # what is said of the detector comes behind it, or in a message of its own
                detailed = len(parts) > 1 and said.get("header_detail") != "none"
                config = {**(_said(parts[1]) if detailed else {}), **said}
            case "dimage-1.0":
                image = Image.of(parts, said)
                if config and image.series == config.get("series"):
                    return config, passed, image
                passed += 1
            case "dseries_end-1.0":
                config = {}
            case None if config:
                config = {**said, **config}


def _said(part: bytes) -> dict[str, Any]:
    """Return what a part says in JSON.

    Raises
    ------
    StreamError
        When it says nothing.
    """
    with suppress(ValueError):
        said = json.loads(part)
        if isinstance(said, dict):
            return said
    raise _strange(part)


def _strange(part: bytes) -> StreamError:
    return StreamError(
        "the stream",
        expected="messages of a SIMPLON stream, version 1",
        got=f"{part[:60]!r}",
        hint="set the format of the detector's stream to 'legacy'; the data port is 9999",
    )


def _unpacker(first: Image) -> Unpacker:
    try:
        return Unpacker.of(first.encoding, first.shape, first.kind)
    except ValueError as error:
        raise StreamError(
            "the stream",
            expected="frames in the encodings bslz4, lz4 or none",
            got=str(error),
            hint="set the detector's compression to 'bslz4'",
        ) from error


def _heading(config: Mapping[str, Any], passed: int, first: Image) -> Heading:
    images, triggers = (_whole(config.get(key)) for key in ("nimages", "ntrigger"))
    if config.get("trigger_mode") in ("exte", "inte"):
        images = min(images, 1)  # one image a trigger, whatever was set before
    planned, rows, columns = images * triggers, *first.shape
    notes = (f"{passed} frames of an earlier series were passed over.",) if passed else ()
    time = config.get("frame_time")
    return Heading(
        pattern_axes=(Axis("v", rows), Axis("u", columns)),
        dtype=first.kind,
        n_frames=planned or None,
        scan_axes=(Axis("y", triggers), Axis("x", images)) if min(images, triggers) > 1 else (),
        form="DECTRIS over ZeroMQ (SIMPLON stream 1)",
        source="dectris (unmixel)",
        instrument=Instrument(
            dwell_s=float(time) if isinstance(time, int | float) and time > 0 else None,
            detector=str(config.get("description", "")) or None,
        ),
        metadata=dict(config),
        notes=notes,
    )


def _whole(said: Any) -> int:
    return said if isinstance(said, int) and said > 0 else 0
