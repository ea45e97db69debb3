"""What went wrong with an idea, in words: the user's own file and line, never a traceback of ours."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Collection, Iterator

from unmixel.core.errors import UnmixelError

_TOLD = re.compile(r"Mismatched|Max absolute|Max relative")


def explained(error: BaseException, files: Collection[str]) -> str:
    """Return an error in words, with the last line of the user's own that led to it.

    Parameters
    ----------
    error : exception
    files : collection of str
        Names under which the user's sources were compiled.

    Examples
    --------
    >>> explained(ZeroDivisionError("division by zero"), ["idea.py"])
    'ZeroDivisionError: division by zero'
    """
    what = said(error)
    for link in _chain(error):
        own = [frame for frame in traceback.extract_tb(link.__traceback__) if frame.filename in files]
        if own:
            frame = own[-1]
            place = f"{frame.filename}, line {frame.lineno}"
            place += f", in {frame.name}" if frame.name != "<module>" else ""
            return f"{place}: {what}\n    {(frame.line or '').strip()}"
    return what


def said(error: BaseException) -> str:
    """Return type and message of an error on one line; our own errors are messages already."""
    text = " ".join(str(error).split())
    if isinstance(error, UnmixelError):
        return text
    if isinstance(error, MemoryError):
        return f"it asked for more memory than it may have{f' ({text})' if text else ''}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def differs(error: AssertionError) -> str:
    """Return what a broken law says of the case that breaks it.

    Examples
    --------
    >>> differs(AssertionError("prox: shape (2,), not (3,)"))
    'prox: shape (2,), not (3,)'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        frames = traceback.extract_tb(error.__traceback__)
        line = linecache.getline(frames[-1].filename, frames[-1].lineno or 0).strip() if frames else ""
        whole = line and not line.endswith(("(", ","))
        return f"this does not hold: {line.removeprefix('assert ')}" if whole else "it does not hold"
    if not lines[0].startswith("Not equal to tolerance") and "rrays are not" not in lines[0]:
        return " ".join(lines)
    named = [line for line in lines[1:2] if not _TOLD.search(line)]
    return "; ".join([*named, *(line for line in lines if _TOLD.search(line))])


def last_place(text: str, files: Collection[str]) -> str:
    """Return the user's line at which faulthandler found a process, in words; empty where it names none.

    Examples
    --------
    >>> last_place('  File "idea.py", line 3 in prox', ["idea.py"])
    'idea.py, line 3, in prox'
    """
    for file, line, name in re.findall(r'File "([^"\n]+)", line (\d+) in (\S+)', text):
        if file in files:
            return f"{file}, line {line}" + (f", in {name}" if name != "<module>" else "")
    return ""
