"""A small DECTRIS detector on this machine: pushes the messages that it is told."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import h5py
import hdf5plugin
import numpy as np
import pytest
from numcodecs import lz4

Message = list[bytes]


def words(**said) -> bytes:
    return json.dumps(said).encode()


def packed(values: np.ndarray, packing: str = "bslz4") -> tuple[str, bytes]:
    """Return the name of an encoding and a frame in it, little endian."""
    bits, plain = 8 * values.dtype.itemsize, values.astype(values.dtype.newbyteorder("<"))
    if packing == "lz4":
        return "lz4<", lz4.compress(plain.tobytes())[4:]
    if packing == "none":
        return "<", plain.tobytes()
    with h5py.File("one", "w", driver="core", backing_store=False) as file:
        chunks = (1, *values.shape)
        data = file.create_dataset("a", data=plain[None], chunks=chunks, **hdf5plugin.Bitshuffle(cname="lz4"))
        return f"bs{bits}-lz4<", bytes(data.id.read_direct_chunk((0, 0, 0))[1])


def heading(
    n_images: int, n_triggers: int = 1, *, number: int = 7, apart: bool = False, **more
) -> list[Message]:
    """Return the header of a series: one message as detectors send it, or two as simulators do."""
    said = {
        "nimages": n_images,
        "ntrigger": n_triggers,
        "trigger_mode": "ints",
        "frame_time": 0.001,
        "description": "a detector",
    } | more
    first = words(htype="dheader-1.0", series=number, header_detail="basic")
    return [[first], [words(**said)]] if apart else [[first, words(**said)]]


def image(index: int, values: np.ndarray, packing: str = "bslz4", *, number: int = 7) -> Message:
    encoding, blob = packed(values, packing)
    rows, columns = values.shape
    form = words(
        htype="dimage_d-1.0", shape=[columns, rows], type=str(values.dtype), encoding=encoding, size=len(blob)
    )
    return [
        words(htype="dimage-1.0", series=number, frame=index, hash=""),
        form,
        blob,
        words(htype="dconfig-1.0", start_time=0, stop_time=1, real_time=1),
    ]


def end(number: int = 7) -> Message:
    return [words(htype="dseries_end-1.0", series=number)]


def series(values: np.ndarray, numbers: Iterable[int], packing: str = "bslz4") -> list[Message]:
    """Return a whole series of which some frames come, and its end."""
    return [*heading(len(values)), *(image(i, values[i], packing) for i in numbers), end()]


def without_size(message: Message) -> Message:
    """Return an image whose packed bytes do not say how large they were, as simulators send it."""
    head, form, blob, times = message
    return [head, form, struct.pack(">QI", 0, 0) + blob[12:], times]


@dataclass
class Dectris:
    """Pushes some messages to the first who connects."""

    messages: list[Message]

    @contextmanager
    def pushing(self) -> Iterator[str]:
        zmq = pytest.importorskip("zmq")
        context, over = zmq.Context(), threading.Event()
        line = context.socket(zmq.PUSH)
        port = line.bind_to_random_port("tcp://127.0.0.1")

        def push() -> None:
            left = list(self.messages)
            while left and not over.is_set():
                try:
                    line.send_multipart(left[0], zmq.NOBLOCK)
                    del left[0]
                except zmq.Again:  # nobody is there yet, or any more
                    over.wait(0.01)

        thread = threading.Thread(target=push, daemon=True)
        thread.start()
        try:
            yield f"dectris:127.0.0.1:{port}"
        finally:
            over.set()
            thread.join(20)
            context.destroy(linger=0)
