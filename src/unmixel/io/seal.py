"""The seal before the HDF5 part of a bundle: what was written, so that nothing else is taken for it.

It is the 512 bytes that HDF5 leaves to its users (the *user block*), so every HDF5 program opens the file as it is.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from unmixel.core.errors import ReadError

SIZE = 512
"""Bytes of the seal: the smallest user block that HDF5 knows."""

_TITLE = "unmixel result bundle, HDF5 with a user block"
_SEAL = re.compile(rf"{_TITLE}\nschema (\d+)\nbytes (\d+)\nsha256 ([0-9a-f]{{64}})\n *\n".encode())


@dataclass(frozen=True)
class Seal:
    """What is said of the HDF5 part.

    Parameters
    ----------
    schema : int
        Version of the layout.
    n_bytes : int
    sha256 : str
    """

    schema: int
    n_bytes: int
    sha256: str

    @classmethod
    def of(cls, schema: int, image: bytes) -> Seal:
        """Return the seal of an HDF5 image.

        Examples
        --------
        >>> len(bytes(Seal.of(2, b"...")))
        512
        """
        return cls(schema, len(image), hashlib.sha256(image).hexdigest())

    def __bytes__(self) -> bytes:
        """Return the seal as it stands in the file: plain text, filled up with blanks."""
        text = f"{_TITLE}\nschema {self.schema}\nbytes {self.n_bytes}\nsha256 {self.sha256}\n"
        return text.ljust(SIZE - 1).encode() + b"\n"


def sealed(schema: int, image: bytes) -> bytes:
    """Return the whole file: seal and HDF5 image."""
    return bytes(Seal.of(schema, image)) + image


def opened(content: bytes, path: Path) -> tuple[Seal | None, bytes]:
    """Return the seal of a file, None where it has none, and its HDF5 part.

    Raises
    ------
    ReadError
        When the HDF5 part is not the one that was sealed, or the seal itself is damaged.
    """
    found = _SEAL.fullmatch(content[:SIZE])
    if found is None:
        return None, content
    seal, image = Seal(int(found[1]), int(found[2]), found[3].decode()), content[SIZE:]
    if len(image) < seal.n_bytes:
        raise _damaged(path, f"it ends too early: {len(image)} of {seal.n_bytes} bytes are there")
    if bytes(seal) != content[:SIZE] or Seal.of(seal.schema, image) != seal:
        raise _damaged(path, "other bytes: it was damaged, or another program wrote into it")
    return seal, image


def _damaged(path: Path, got: str) -> ReadError:
    return ReadError(
        f"result bundle '{path}'",
        expected="the bytes that were written, as the seal at its beginning says",
        got=got,
        hint="copy it again from where it is whole, or repeat the run with the recipe.yaml beside it",
    )
