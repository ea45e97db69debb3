"""What Merlin files (``.mib``) say of the scan: number of frames, frames per row, pauses between rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_STAMP = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+")
_FRAMES_LOOKED_AT = 2048


@dataclass(frozen=True)
class MerlinHeader:
    """What the text before a frame says, in files and on the wire: ``MQ1,number,bytes,chips,width,height,U16,...``.

    Parameters
    ----------
    number : int
        Of the frame in its acquisition, from 1.
    n_bytes : int
        Of the header itself.
    width, height : int
        Of the frame, in pixels.
    kind : str
        ``U`` for whole numbers (big-endian), ``R`` for raw counter bits.
    bits : int
        Of a pixel.
    dwell_s : float or None
        Exposure, in seconds.

    Examples
    --------
    >>> header = MerlinHeader.of(b"MQ1,000007,00384,01,0256,0128,U16,   1x1,01,2024-07-02 13:46:44.0,0.001000,0,")
    >>> header.number, (header.height, header.width), header.dtype, header.frame_bytes, header.dwell_s
    (7, (128, 256), dtype('>u2'), 65920, 0.001)
    """

    number: int
    n_bytes: int
    width: int
    height: int
    kind: str
    bits: int
    dwell_s: float | None = None

    @classmethod
    def of(cls, text: bytes) -> MerlinHeader | None:
        """Return what a header says, or None where it is none."""
        fields = [field.strip() for field in text[:384].decode("latin-1").split(",")]
        try:
            number, n_bytes, width, height = (int(fields[i]) for i in (1, 2, 4, 5))
            kind, bits = fields[6][0], int(fields[6][1:])
        except (IndexError, ValueError):
            return None
        if not fields[0].startswith("MQ"):
            return None
        try:
            dwell = float(fields[10])
        except (IndexError, ValueError):
            dwell = 0.0
        return cls(number, n_bytes, width, height, kind, bits, dwell if dwell > 0 else None)

    @property
    def frame_bytes(self) -> int:
        """Bytes of header and data together."""
        return self.n_bytes + self.width * self.height * self.bits // 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """How pixels are stored."""
        return np.dtype(f">u{self.bits // 8}")


@dataclass(frozen=True)
class MerlinLayout:
    """How frames lie in a Merlin file, each after its `MerlinHeader`.

    Parameters
    ----------
    header_bytes, frame_bytes : int
        Of the header, and of header and data together.
    n_frames : int
        Whole frames in the file.
    rest : int
        Bytes after the last whole frame.
    """

    header_bytes: int
    frame_bytes: int
    n_frames: int
    rest: int = 0

    @classmethod
    def of(cls, path: str) -> MerlinLayout | None:
        """Return the layout, or None where there is no such header or the file holds raw counter bits."""
        place = Path(path)
        with place.open("rb") as file:
            first = MerlinHeader.of(file.read(384))
        if first is None or first.kind != "U":
            return None
        return cls(first.n_bytes, first.frame_bytes, *divmod(place.stat().st_size, first.frame_bytes))


def said(text: str, key: str) -> int:
    """Return a whole number that the header of an acquisition (lines ``key: value``) says; 0 where it does not.

    Examples
    --------
    >>> said("HDR,\\nFrames per Trigger (Number):\\t64\\nEnd\\t", "Frames per Trigger (Number)")
    64
    """
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key and value.strip().isdigit():
            return int(value)
    return 0


def _beside(path: str, key: str) -> int:
    """Return a whole number that the ``.hdr`` file beside says; 0 where it does not."""
    beside = Path(path).with_suffix(".hdr")
    return said(beside.read_text(encoding="latin-1"), key) if beside.is_file() else 0


def options(path: str) -> dict[str, Any]:
    """Return the scan shape for RosettaSciIO where the header file says it, else one long stack.

    Left alone, RosettaSciIO goes through the time stamps of all frames, through the whole file, and guesses.
    """
    layout = MerlinLayout.of(path)
    if layout is None or layout.n_frames < 1:
        return {}
    per_row = _beside(path, "Frames per Trigger (Number)")
    if 1 < per_row < layout.n_frames and layout.n_frames % per_row == 0:
        return {"navigation_shape": (per_row, layout.n_frames // per_row)}
    return {"navigation_shape": (layout.n_frames,)}


def row_pause(path: str) -> int:
    """Return after how many frames the time stamps show a longer pause each time; 0 where they show none.

    Only the first frames are looked at. Pauses at the ends of rows must be clearly longer than all others.
    """
    layout = MerlinLayout.of(path)
    if layout is None or layout.n_frames < 4:
        return 0
    stamps = []
    with Path(path).open("rb") as file:
        for index in range(min(layout.n_frames, _FRAMES_LOOKED_AT)):
            file.seek(index * layout.frame_bytes)
            found = _STAMP.search(file.read(layout.header_bytes))
            if found is None:
                return 0
            stamps.append(np.datetime64(found.group().decode().replace(" ", "T"), "ns"))
    waits = np.diff(np.array(stamps)).astype(float)
    usual = float(np.median(waits))
    spread = float(np.percentile(np.abs(waits - usual), 50))
    first = int(np.argmax(waits > usual + max(20 * spread, 1e-4 * usual))) + 1
    if first < 2 or layout.n_frames % first or len(waits) < first:
        return 0
    ends = np.zeros(len(waits), dtype=bool)
    ends[first - 1 :: first] = True
    return first if waits[ends].min() > usual + 4 * max(waits[~ends].max() - usual, 0.0) else 0


def notes(path: str) -> tuple[str, ...]:
    """Return what the user should know of a Merlin file."""
    said = ["Merlin frames are turned upside down by RosettaSciIO, so that they appear as on the screen."]
    layout = MerlinLayout.of(path)
    if layout is None:
        return tuple(said)
    planned = _beside(path, "Frames in Acquisition (Number)")
    if planned > layout.n_frames:
        said.append(
            f"The header file says {planned} frames, the file holds {layout.n_frames}: stopped or cut off."
        )
    if layout.rest:
        said.append("The file ends inside a frame; that frame is left out.")
    per_row = row_pause(path)
    if per_row and len(options(path)["navigation_shape"]) == 1:
        shape = f"({layout.n_frames // per_row}, {per_row})"
        said.append(
            f"The time stamps show a longer pause after every {per_row} frames: scan_shape={shape} is likely."
        )
    return tuple(said)
