"""Images that a step is given: as values, or as a numpy file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError


def read_image(what: str, given: Any, shape: tuple[int, ...]) -> tuple[NDArray[Any], str]:
    """Return an image and the SHA-256 of its values (as float64).

    Parameters
    ----------
    what : str
        Step and parameter, for messages.
    given : str, path or array
        A ``.npy`` file, an ``.npz`` file with one array, or the values.
    shape : tuple of int
        The shape it must have.

    Raises
    ------
    InputError
        When the file cannot be read, or the image has another shape or values that are not finite numbers.

    Examples
    --------
    >>> read_image("image", [[0, 1]], (1, 2))[0].shape
    (1, 2)
    """
    image = _from_file(what, Path(given)) if isinstance(given, (str, Path)) else np.asarray(given)
    if image.dtype.kind not in "buif" or image.shape != shape or not np.isfinite(image).all():
        raise InputError(
            what,
            expected=f"finite numbers of shape {shape}",
            got=f"{image.dtype} of shape {image.shape}",
            hint="make it on the grid the data have at this step (after crop and bin)",
        )
    return image, hashlib.sha256(np.ascontiguousarray(image, np.float64).tobytes()).hexdigest()


def _from_file(what: str, path: Path) -> NDArray[Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(
            what, expected="a numpy file (.npy or .npz)", got=str(path), hint=f"check the path ({error})"
        ) from error
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        if len(loaded.files) != 1:
            raise InputError(
                what,
                expected="an .npz file with one array",
                got=f"{path} with {', '.join(loaded.files) or 'none'}",
                hint="save the image alone, with numpy.save",
            )
        return np.asarray(loaded[loaded.files[0]])
