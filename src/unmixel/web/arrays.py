"""Arrays as bytes: little-endian, C order, described by headers or by the head of a message."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from fastapi import Response
from numpy.typing import NDArray

from unmixel.web.models import ArrayHead

KINDS = ("uint8", "uint16", "uint32", "float32")
"""Kinds of numbers that travel; everything else becomes float32."""

BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "Little-endian values in C order. Headers: X-Shape (such as 256,256), X-Dtype (uint8, uint16, uint32 "
            "or float32), X-Exact (1 or 0), X-Done (share of the scan that is in it)."
        ),
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""What the description of the API says of replies that are arrays."""


def travelling(values: Any) -> NDArray[Any]:
    """Return an array in a kind of number that travels, little-endian and contiguous.

    Examples
    --------
    >>> travelling(np.zeros((2, 3), ">u2")).dtype.str, travelling(np.zeros(2)).dtype.str, travelling([True]).dtype.str
    ('<u2', '<f4', '|u1')
    """
    array = np.asarray(values)
    name = "uint8" if array.dtype == bool else array.dtype.name
    kind = name if name in KINDS else "float32"
    return np.ascontiguousarray(array, np.dtype(kind).newbyteorder("<"))


def reply(values: Any, *, exact: bool = True, done: float = 1.0) -> Response:
    """Return an array as the body of a reply."""
    array = travelling(values)
    return Response(
        array.tobytes(),
        media_type="application/octet-stream",
        headers={
            "X-Shape": ",".join(str(n) for n in array.shape),
            "X-Dtype": array.dtype.name,
            "X-Exact": str(int(exact)),
            "X-Done": f"{done:.4f}",
        },
    )


def message(values: Any, head: ArrayHead) -> bytes:
    """Return an array as a binary message.

    Four bytes hold the length n of the head as a little-endian whole number, n bytes the head as JSON in UTF-8, padded
    with spaces so that the values after it begin at a multiple of eight.
    """
    text = head.model_dump_json().encode()
    text += b" " * (-(4 + len(text)) % 8)
    return struct.pack("<I", len(text)) + text + travelling(values).tobytes()
