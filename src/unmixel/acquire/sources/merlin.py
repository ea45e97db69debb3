"""Merlin (Quantum Detectors) over TCP: a header of the acquisition, then frames, each with a header of its own.

Every message is ``MPX,NNNNNNNNNN,`` and as many bytes as the ten digits say, the comma before them counted. The first
of an acquisition begins with ``HDR`` and holds lines ``key: value``; the others are frames as in ``.mib`` files.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.acquire.contract import Address, Frames, Heading
from unmixel.core.errors import InputError, StreamError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Instrument
from unmixel.io.merlin import MerlinHeader, said

PORT = 6342
"""Where a Merlin sends its data, unless it is told otherwise."""

_PREFIX = 15
_AT_ONCE = 8_000_000
_HAND_OUT_S = 0.05
_LARGEST_HEADING = 1 << 20
_SEARCHED = 1 << 26
_WAKE_S = 0.2


def _length(prefix: bytes) -> int | None:
    """Return how many bytes follow a prefix, or None where it is none."""
    if len(prefix) == _PREFIX and prefix[:4] == b"MPX," and prefix[4:14].isdigit():
        return int(prefix[4:14]) - 1
    return None


@dataclass(eq=False)
class Wire:
    """A socket that is read to the byte, with a limit to silence.

    Parameters
    ----------
    socket : socket.socket
    timeout_s : float
    """

    socket: socket.socket
    timeout_s: float
    closed: Event = field(default_factory=Event)

    def receive(self, into: memoryview, *, patient: bool = False) -> int:
        """Read what there is, at least a byte; 0 where the other side has hung up, or we have.

        Raises
        ------
        StreamError
            When nothing comes for `timeout_s` seconds and we are not patient.
        """
        since = time.monotonic()
        while not self.closed.is_set():
            try:
                return self.socket.recv_into(into)
            except TimeoutError:
                if not patient and time.monotonic() - since > self.timeout_s:
                    raise StreamError(
                        "the stream",
                        expected="frames",
                        got=f"silence for {self.timeout_s:g} s",
                        hint="check whether the scan was stopped; --timeout waits longer",
                    ) from None
            except OSError as error:
                if self.closed.is_set():
                    break
                raise StreamError(
                    "the stream",
                    expected="frames",
                    got=f"a broken connection ({error.strerror or error})",
                    hint="check the detector's computer and the network",
                ) from error
        return 0

    def exactly(self, size: int, *, patient: bool = False) -> bytes:
        """Return so many bytes, fewer where the other side hangs up."""
        held = bytearray(size)
        view, filled = memoryview(held), 0
        while filled < size and (got := self.receive(view[filled:], patient=patient and not filled)):
            filled += got
        return bytes(held[:filled])


@dataclass(eq=False)
class MerlinStream:
    """One acquisition of a Merlin.

    Parameters
    ----------
    heading : Heading
    wire : Wire
    first : bytes
        The first frame with its header.
    """

    heading: Heading
    wire: Wire
    first: bytes

    def __post_init__(self) -> None:
        header = MerlinHeader.of(self.first)
        assert header is not None
        self._header = header
        self._stride = _PREFIX + len(self.first)
        self._prefix = b"MPX,%010d," % (len(self.first) + 1)
        # numbers begin at 1 in every acquisition; a detector that goes on counting is taken at its first word
        within = self.heading.n_frames is not None and header.number <= self.heading.n_frames
        self._base = 1 if within and header.number >= 1 else header.number

    def frames(self) -> Iterator[Frames]:
        """Yield frames as they come, until the acquisition has as many as it said."""
        stride = self._stride
        count = max(2, min(256, _AT_ONCE // stride))
        held = bytearray(count * stride)
        view = memoryview(held)
        view[:stride] = self._prefix + self.first
        filled, handed = stride, time.monotonic()
        numbers: list[int] = []
        while True:
            fault = self._read_headers(held, filled // stride, numbers)
            over = fault is not None or self._is_last(numbers)
            if not over and len(numbers) < count and time.monotonic() - handed < _HAND_OUT_S:
                try:
                    got = self.wire.receive(view[filled:])
                except StreamError as error:
                    got, fault = 0, error
                filled += got
                if got:
                    continue
                over = True
                if fault is None and not self.wire.closed.is_set():
                    fault = self._cut_off(filled % stride)
            whole = len(numbers)
            if whole:
                frames = Frames(np.array(numbers, np.int64), self._pixels(held, whole))
                view[: filled - whole * stride] = view[whole * stride : filled]
                filled -= whole * stride
                numbers.clear()
                yield frames
            handed = time.monotonic()
            if fault is not None:
                raise fault
            if over:
                return

    def close(self) -> None:
        """Hang up."""
        self.wire.closed.set()
        with suppress(OSError):
            self.wire.socket.shutdown(socket.SHUT_RDWR)
        self.wire.socket.close()

    def _is_last(self, numbers: list[int]) -> bool:
        planned = self.heading.n_frames
        return planned is not None and bool(numbers) and numbers[-1] >= planned - 1

    def _read_headers(self, held: bytearray, whole: int, numbers: list[int]) -> StreamError | None:
        """Append the numbers of frames that are whole now; return what is wrong with the first that is another."""
        while len(numbers) < whole and not self._is_last(numbers):
            at = len(numbers) * self._stride
            prefix, text = bytes(held[at : at + _PREFIX]), bytes(held[at + _PREFIX : at + _PREFIX + 384])
            header = MerlinHeader.of(text)
            if prefix != self._prefix or header is None or not self._alike(header):
                return self._other(prefix, text, header)
            numbers.append(header.number - self._base)
        return None

    def _pixels(self, held: bytearray, whole: int) -> NDArray[Any]:
        """Return the first frames of a buffer, copied, turned as on the screen."""
        raw = np.frombuffer(held, np.uint8, whole * self._stride).reshape(whole, self._stride)
        rows = raw[:, _PREFIX + self._header.n_bytes :].reshape(whole, self._header.height, -1)
        # turned as bytes, then swapped where they are: 2.7 times as fast as one cast (pixels have odd addresses)
        pixels = np.ascontiguousarray(rows[:, ::-1]).view(self._header.dtype)
        if sys.byteorder == "little":
            pixels.byteswap(inplace=True)
        return pixels.view(self.heading.dtype)

    def _alike(self, header: MerlinHeader) -> bool:
        mine, theirs = ((h.width, h.height, h.kind, h.bits) for h in (self._header, header))
        return mine == theirs

    def _other(self, prefix: bytes, text: bytes, header: MerlinHeader | None) -> StreamError:
        first = self._header
        if header is not None:
            got = f"one of {header.height} x {header.width} pixels of {header.bits} bits ({header.kind})"
        elif text.startswith(b"HDR"):
            got = "the header of another acquisition"
        else:
            got = f"a message that is none ({prefix[:14]!r})"
        return StreamError(
            "the stream",
            expected=f"frames of {first.height} x {first.width} pixels of {first.bits} bits",
            got=got,
            hint="do not change the detector's settings during a scan",
        )

    def _cut_off(self, rest: int) -> StreamError:
        inside = ", in the middle of a frame" if rest else ""
        planned = self.heading.n_frames
        return StreamError(
            "the stream",
            expected=f"{planned} frames" if planned else "frames until the scan is full",
            got=f"an end before that{inside}",
            hint="check whether the scan was stopped at the microscope",
        )


@dataclass(frozen=True)
class MerlinSource:
    """A Merlin, or an emulator of one, that listens at a host and port.

    Nothing is sent to the detector: arm and start it with its own software. Raw counter bits are refused.
    """

    name: ClassVar[str] = "merlin"
    usage: ClassVar[str] = f"merlin:HOST:{PORT}"

    def connect(self, address: Address, *, timeout_s: float) -> MerlinStream:
        """Return the next acquisition, once its header and first frame have come."""
        address.refuse_others()
        wire = Wire(_dialled(address, timeout_s), timeout_s)
        try:
            text = _heading_text(wire)
            prefix = wire.exactly(_PREFIX, patient=True)
            length = _length(prefix)
            first = wire.exactly(length) if length is not None else b""
            header = MerlinHeader.of(first)
            _check(prefix, length, first, header)
        except BaseException:
            wire.socket.close()
            raise
        assert header is not None
        return MerlinStream(_heading(text, header), wire, first)


def _dialled(address: Address, timeout_s: float) -> socket.socket:
    host, _, port = address.place.partition(":")
    if not host or (port and not port.isdigit()):
        raise InputError(
            "SOURCE", expected=MerlinSource.usage, got=f"'merlin:{address.place}'", hint="give host and port"
        )
    try:
        line = socket.create_connection((host, int(port or PORT)), timeout=timeout_s)
    except OSError as error:
        raise StreamError(
            f"merlin:{address.place}",
            expected="a detector that takes connections",
            got=error.strerror or str(error),
            hint="start the detector's software first, and check host and port (6342 for data)",
        ) from error
    line.settimeout(_WAKE_S)
    return line


def _heading_text(wire: Wire) -> str:
    """Return the header of the next acquisition; what was left in the line before it is passed over.

    Raises
    ------
    StreamError
        When none comes.
    """
    passed, window = 0, wire.exactly(_PREFIX, patient=True)
    while len(window) == _PREFIX and passed < _SEARCHED:
        length = _length(window)
        if length is not None and length <= _LARGEST_HEADING:
            body = wire.exactly(length)
            if body.startswith(b"HDR"):
                return body.decode("latin-1")
            window, passed = wire.exactly(_PREFIX, patient=True), passed + length
            continue
        at = window.find(b"M", 1)
        keep = window[at:] if at > 0 else b""
        passed += _PREFIX - len(keep)
        window = keep + wire.exactly(_PREFIX - len(keep))
    raise StreamError(
        "the stream",
        expected="the header of an acquisition (MPX, HDR)",
        got="an end" if len(window) < _PREFIX else f"{passed} bytes without one",
        hint="connect before the acquisition is armed; the data port is 6342, not 6341",
    )


def _check(prefix: bytes, length: int | None, first: bytes, header: MerlinHeader | None) -> None:
    """Refuse a first frame that is none, or that cannot be read."""
    if length is None or header is None or len(first) < length:
        raise StreamError(
            "the stream",
            expected="a first frame after the header",
            got="an end" if len(prefix) < _PREFIX or len(first) < (length or 0) else f"{prefix[:14]!r}",
            hint="start the acquisition again",
        )
    if header.kind != "U" or header.bits not in (8, 16, 32, 64) or header.frame_bytes != length:
        raise StreamError(
            "the stream",
            expected="frames of 8, 16 or 32 bits (U08, U16, U32) as long as their header says",
            got=f"{header.kind}{header.bits:02d}, {length} bytes instead of {header.frame_bytes}",
            hint="switch raw mode off in the detector's software",
        )


def _heading(text: str, header: MerlinHeader) -> Heading:
    planned, per_row = (
        said(text, key) for key in ("Frames in Acquisition (Number)", "Frames per Trigger (Number)")
    )
    rows = planned // per_row if 1 < per_row < planned and planned % per_row == 0 else 0
    return Heading(
        pattern_axes=(Axis("v", header.height), Axis("u", header.width)),
        dtype=f"uint{header.bits}",
        n_frames=planned or None,
        scan_axes=(Axis("y", rows), Axis("x", per_row)) if rows else (),
        form="Merlin over TCP",
        source="merlin (unmixel)",
        instrument=Instrument(dwell_s=header.dwell_s, detector="Merlin"),
        metadata={"acquisition": text},
        notes=(
            "Merlin frames are turned upside down, so that they appear as on the screen, and as in .mib files.",
        ),
    )
