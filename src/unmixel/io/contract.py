"""The contract of a reader: one class per family of formats, found by the entry point ``unmixel.readers``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan


@dataclass(frozen=True)
class ReadOptions:
    """What the user decides where a file leaves a choice.

    Parameters
    ----------
    scan_shape : tuple of int, optional
        Shape of the scan. A reader may use it where its format needs it; otherwise `unmixel.open` folds
        what the reader returns. Flyback columns are dropped by `unmixel.open` too, never by a reader.
    dataset : str, optional
        Which data of a file that holds several; None lets the reader take the largest scan.

    Examples
    --------
    >>> ReadOptions(scan_shape=(13, 29)).dataset is None
    True
    """

    scan_shape: tuple[int, ...] | None = None
    dataset: str | None = None


@runtime_checkable
class Reader(Protocol):
    """Turns a file or an address into a `Scan`, without loading its data.

    A reader is a class without arguments, registered under ``unmixel.readers``. Its module imports nothing
    heavy at the top (libraries are imported in `read`), because `unmixel.open` asks every reader whether
    it `accepts` a path.

    What `read` promises (checked by `unmixel.testing.readers.ReaderLaws`):

    - the data are lazy: opening costs megabytes whatever the size of the file;
    - axes are in the order scan, pattern, named ``y, x, v, u`` or ``energy``, in canonical units;
    - ``original_metadata`` holds everything the file says;
    - ``source`` says path (as given), format, reader and how the scan shape became known;
    - anything that goes wrong is a `ReadError` or another `InputError` that says what to do.

    A method ``example(folder)`` that writes a small file may be added: on it ``unmixel plugins --laws`` tries all this.

    Attributes
    ----------
    name : str
        The registered name.
    references : tuple of `unmixel.dataset.bibliography.Reference`
        Papers to be cited where it read the data; may be left out.
    """

    name: ClassVar[str]

    def accepts(self, path: str) -> bool:
        """Return whether this reader wants `path` (a file, a folder or an address); looks, does not read."""
        ...

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the scan that lies at `path`.

        Raises
        ------
        ReadError
            When the file is damaged, truncated, empty or not what it claims to be.
        InputError
            When `options` do not fit the file.
        """
        ...
