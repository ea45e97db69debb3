"""Why a file cannot be read, found out by looking at it, and what to do about it."""

from __future__ import annotations

import difflib
import zipfile
from pathlib import Path

from unmixel.core.errors import ReadError

_SIGNATURES = {
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"PK\x03\x04": "zip",
    b"\x93NUMPY": "NumPy npy",
    b"\x1f\x8b": "gzip",
    b"MATLAB": "MATLAB",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
}

_SHIPPED = "hspy, zspy, npz, npy, mib, blo, dm3, dm4, emd, mrc, bcf, prz, app5, h5, nxs, mat"


def signature(path: str) -> str:
    """Return the kind of file that its start tells (``"HDF5"``, ``"zip"``, ``"text"``, ...) or ``""``."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(4096)
    except OSError:
        return ""
    for magic, kind in _SIGNATURES.items():
        if head.startswith(magic):
            return kind
    if head and b"\x00" not in head:
        try:
            head.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < len(head) - 4:
                return ""
        return "text"
    return ""


def _missing(path: Path) -> tuple[str, str]:
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    if near:
        return "nothing of that name", f"perhaps '{near[0]}' is meant"
    return "nothing of that name", "check the path" + (
        "" if path.parent.is_dir() else ": its folder is missing too"
    )


def _some(names: list[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _folder(path: Path) -> tuple[str, str]:
    if path.suffix.lower() in (".zspy", ".zarr"):
        return f"a folder that is not a complete {path.suffix[1:]} store", "copy the whole folder again"
    files = sorted(p.name for p in path.iterdir() if p.is_file() or p.suffix.lower() in (".zspy", ".zarr"))
    return (
        "a folder",
        f"give one of its files: {_some(files, 5)}" if files else "give a file; this folder holds none",
    )


def _archive(path: Path) -> tuple[str, str]:
    try:
        names = [info.filename for info in zipfile.ZipFile(path).infolist() if info.file_size]
    except zipfile.BadZipFile:
        return "a damaged zip archive", "copy it again"
    skipped = (".hdr", ".txt", ".xml", ".csv")
    data = [name for name in names if not name.lower().endswith(skipped)] or names
    return f"a zip archive of {len(names)} files", f"unpack it and open one of its files: {_some(data, 3)}"


def _text(path: Path) -> tuple[str, str]:
    data_files = (".mrc", ".mib", ".raw", ".dat", ".xml")
    first = path.stem.split("_")[0]
    beside = [
        p.name
        for p in sorted(path.parent.iterdir())
        if p != path and p.suffix.lower() in data_files and p.stem.split("_")[0] == first
    ]
    if beside and path.suffix.lower() in (".txt", ".csv", ".hdr", ".log"):
        return "a text file that describes another one", f"open {beside[-1]} beside it"
    return "a text file", "check that it was not renamed, and give the file with the data"


_CUT = (
    "truncated",
    "greater than file size",
    "too short",
    "end of file",
    "eof",
    "buffer",
    "could not read bytes",
)


def _failure(path: Path, kind: str, cause: Exception) -> tuple[str, str]:
    """Return what the failure of a format says about the file, and what to do."""
    said = " ".join(str(cause).split())[:200].rstrip(".") or type(cause).__name__
    if isinstance(cause, ImportError):
        missing = cause.name or next(iter(str(cause).split("'")[1:2]), "a package")
        return f"a file that needs the package '{missing}' to be read", f"pip install {missing}"
    if isinstance(cause, NotImplementedError):
        return f"a variant that cannot be read ({said})", "export it in another variant of the format"
    if any(word in said.lower() for word in _CUT) or (kind == "zip" and not zipfile.is_zipfile(path)):
        return f"a file that ends too early ({said})", "copy it again; the transfer may have been cut off"
    other = f" (its first bytes say {kind})" if kind else ""
    return f"{type(cause).__name__}: {said}", f"check that the file is whole and was not renamed{other}"


def _look(path: Path, cause: Exception | None) -> tuple[str, str]:
    """Return what is there instead of readable data, and what to do."""
    if not path.exists():
        return _missing(path)
    if path.is_dir():
        return _folder(path)
    if path.stat().st_size == 0:
        return "an empty file (0 bytes)", "copy it again; the transfer may have been cut off"
    kind = signature(str(path))
    if kind == "zip" and path.suffix.lower() == ".zip":
        return _archive(path)
    if kind == "text":
        return _text(path)
    if cause is None:
        return "a file of unknown format", f"convert it, e.g. with HyperSpy to .zspy; read are {_SHIPPED}"
    return _failure(path, kind, cause)


def unreadable(path: str, tried: tuple[str, ...], cause: Exception | None = None) -> ReadError:
    """Return the one clear error about a file that cannot be read.

    Parameters
    ----------
    path : str
        As the user gave it.
    tried : tuple of str
        Formats that were tried.
    cause : Exception, optional
        What went wrong; None where no format was tried.

    Examples
    --------
    >>> print(unreadable("nothing.mib", ("mib",)))
    nothing.mib: expected a readable file (tried: mib), got nothing of that name. What to do: check the path.
    """
    got, hint = _look(Path(path), cause)
    formats = f" (tried: {', '.join(tried)})" if tried else ""
    return ReadError(path, expected=f"a readable file{formats}", got=got, hint=hint)
