"""Frames as detectors send them: plain, packed by LZ4, or bit-shuffled and then packed by it (bslz4)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

_ENCODING = re.compile(r"(?:(?P<bits>bs(?:8|16|32))?-?(?P<lz4>lz4))?[<>]?")

_BLOCK, _LARGEST_BLOCK = 8192, 1 << 24


@dataclass(eq=False)
class Unpacker:
    """Unpacks frames of one shape, type and encoding.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    dtype : numpy.dtype
        As sent, byte order included.
    packing : "", "lz4" or "bslz4"

    Examples
    --------
    >>> into = np.empty((1, 2), np.uint16)
    >>> Unpacker.of(">", (1, 2), "uint16")(bytes([0, 1, 1, 0]), into)
    >>> into
    array([[  1, 256]], dtype=uint16)
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    packing: str

    def __post_init__(self) -> None:
        self._chunk: Any = _one_chunk(self.shape, self.dtype) if self.packing == "bslz4" else None

    @classmethod
    def of(cls, encoding: str, shape: tuple[int, int], kind: str) -> Unpacker:
        """Return what unpacks an encoding in the words of DECTRIS: ``bs16-lz4<``, ``lz4<``, ``<``.

        Raises
        ------
        ValueError
            When there is no such encoding, or the bits of ``bs`` are not those of `kind`.
        """
        found = _ENCODING.fullmatch(encoding)
        dtype = np.dtype(kind).newbyteorder(">" if encoding.endswith(">") else "<")
        if found is None or found["bits"] not in (None, f"bs{8 * dtype.itemsize}"):
            raise ValueError(f"encoding {encoding!r} of {kind}")
        return cls(shape, dtype, "bslz4" if found["bits"] else found["lz4"] or "")

    @property
    def n_bytes(self) -> int:
        """Bytes of a frame that is not packed."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def __call__(self, blob: bytes, into: NDArray[Any]) -> None:
        """Unpack one frame.

        Parameters
        ----------
        blob : bytes
        into : ndarray of shape `shape`, contiguous
            In any byte order.

        Raises
        ------
        ValueError
            When the bytes are not such a frame; `into` may then hold anything.
        """
        if self._chunk is not None:
            self._unshuffle(blob, into)
            return
        if self.packing:
            from numcodecs import lz4

            try:
                blob = lz4.decompress(struct.pack("<I", self.n_bytes) + blob)
            except RuntimeError as error:
                raise ValueError(str(error)) from error
        if len(blob) != self.n_bytes:
            raise ValueError(f"{len(blob)} bytes instead of {self.n_bytes}")
        into[...] = np.frombuffer(blob, self.dtype).reshape(self.shape)

    def _unshuffle(self, blob: bytes, into: NDArray[Any]) -> None:
        """Let HDF5 do it: what is sent is a chunk of its filter, with the unpacked size in front."""
        from h5py import h5s

        block = self._block_of(blob)
        try:
            head = struct.pack(">QI", self.n_bytes, block)
            self._chunk.id.write_direct_chunk((0, 0, 0), head + blob[12:])
            self._chunk.id.read(h5s.ALL, h5s.ALL, into)
        except OSError as error:
            raise ValueError("bytes that do not unpack") from error

    def _block_of(self, blob: bytes) -> int:
        """Return the bytes of a block, once the blob is seen to be of whole blocks: the filter reads past its end."""
        item, n = self.dtype.itemsize, self.shape[0] * self.shape[1]
        size, block = struct.unpack(">QI", blob[:12]) if len(blob) >= 12 else (-1, 0)
        size, block = size or self.n_bytes, block or _BLOCK  # simulators leave them out
        if size != self.n_bytes or block % (8 * item) or block > _LARGEST_BLOCK:
            raise ValueError(f"{len(blob)} bytes that unpack to {size} instead of {self.n_bytes}")
        at, whole = 12, n - n % 8  # a last few numbers are not packed
        for _ in range(-(-whole * item // block)):
            at += 4 + int.from_bytes(blob[at : at + 4], "big")
            if at > len(blob):
                break
        if at + (n % 8) * item != len(blob):
            raise ValueError(f"{len(blob)} bytes that are not of whole blocks")
        return int(block)


def _one_chunk(shape: tuple[int, int], dtype: np.dtype[Any]) -> Any:
    """Return a data set in memory that holds one frame as one bit-shuffled chunk, read past any cache."""
    import h5py
    import hdf5plugin

    # never on the disk; names of open files must differ; the data set holds its file open
    file = h5py.File(str(uuid4()), "w", driver="core", backing_store=False, rdcc_nbytes=0)
    whole = (1, *shape)
    return file.create_dataset("frame", whole, dtype, chunks=whole, **hdf5plugin.Bitshuffle(cname="lz4"))
