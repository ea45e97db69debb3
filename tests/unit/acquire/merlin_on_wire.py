"""A small Merlin on this machine: sends what it is told, and breaks off as it is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


def message(body: bytes) -> bytes:
    return b"MPX,%010d," % (len(body) + 1) + body


def heading(n_frames: int, per_trigger: int = 1) -> bytes:
    text = f"HDR,\t\nFrames in Acquisition (Number):\t{n_frames}\nFrames per Trigger (Number):\t{per_trigger}\nEnd\t"
    return message(text.encode())


def frame(number: int, values: np.ndarray, kind: str = "U") -> bytes:
    """Return a frame as it goes over the wire; `values` as they appear on the screen."""
    rows, columns = values.shape
    bits = values.dtype.itemsize * 8
    stamp = "2024-07-02 13:46:44.000000"
    text = (
        f"MQ1,{number + 1:06d},00384,01,{columns:04d},{rows:04d},{kind}{bits:02d},   1x1,01,{stamp},0.001000,0,0,0,"
        f"1.200000E+2,5.110000E+2,,MQ1A,{stamp.replace(' ', 'T')}000Z,1000000ns,12,"
    )
    return message(
        text.encode().ljust(384, b"\0") + values[::-1].astype(values.dtype.newbyteorder(">")).tobytes()
    )


@dataclass
class Merlin:
    """Sends some messages to the first who connects.

    Parameters
    ----------
    messages : list of bytes
    pause_s : float
        Before each.
    silent_s : float
        After the last, before it hangs up.
    reset : bool
        Hang up by a reset of the connection.
    """

    messages: list[bytes]
    pause_s: float = 0.0
    silent_s: float = 0.0
    reset: bool = False

    @contextmanager
    def listening(self) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(20)
            over = threading.Event()
            thread = threading.Thread(target=self._serve, args=(server, over), daemon=True)
            thread.start()
            try:
                yield f"merlin:127.0.0.1:{server.getsockname()[1]}"
            finally:
                over.set()
                thread.join(20)

    def _serve(self, server: socket.socket, over: threading.Event) -> None:
        try:
            line, _ = server.accept()
        except OSError:
            return
        with line:
            try:
                for part in self.messages:
                    if self.pause_s:
                        time.sleep(self.pause_s)
                    line.sendall(part)
                over.wait(self.silent_s)
                if self.reset:
                    time.sleep(0.3)  # what was sent must be read first: a reset throws away what was not
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            except OSError:
                return
