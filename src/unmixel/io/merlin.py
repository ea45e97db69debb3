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
class MerlinLayout:
    """How frames lie in a Merlin file.

    Each begins with a header of text, ``MQ1,number,bytes,chips,width,height,U16,...``.

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
            fields = [field.strip() for field in file.read(384).decode("latin-1").split(",")]
        try:
            header, width, height, bits = int(fields[2]), int(fields[4]), int(fields[5]), int(fields[6][1:])
        except (IndexError, ValueError):
            return None
        if not fields[0].startswith("MQ") or fields[6][0] != "U":
            return None
        frame = header + width * height * bits // 8
        return cls(header, frame, *divmod(place.stat().st_size, frame))


def _beside(path: str, key: str) -> int:
    """Return a whole number that the ``.hdr`` file beside says; 0 where it does not."""
    beside = Path(path).with_suffix(".hdr")
    if not beside.is_file():
        return 0
    for line in beside.read_text(encoding="latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key and value.strip().isdigit():
            return int(value)
    return 0


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
