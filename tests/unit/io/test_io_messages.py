"""What libraries say is kept, not shown; afterwards their loggers are as before."""

from __future__ import annotations

import logging
import warnings

import pytest

from unmixel.io.messages import heard


def test_warnings_and_log_messages_become_notes(capsys: pytest.CaptureFixture[str]) -> None:
    with heard() as notes:
        warnings.warn("old  file\nformat", stacklevel=1)
        logging.getLogger("rsciio.mib").warning("no header %s", "file")
        logging.getLogger("rsciio.mib").info("not worth telling")
        warnings.warn("old file format", stacklevel=1)
    assert notes == ["no header file", "old file format"]
    assert capsys.readouterr().err == ""


def test_noise_is_left_out() -> None:
    with heard() as notes:
        logging.getLogger("rsciio").warning("tqdm module not found, progress bars disabled.")
    assert notes == []


def test_loggers_are_restored_even_after_an_error() -> None:
    logger = logging.getLogger("rsciio")
    before = (list(logger.handlers), logger.propagate)
    with pytest.raises(OSError, match="broken"), heard():
        raise OSError("broken")
    assert (list(logger.handlers), logger.propagate) == before


def test_other_loggers_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with heard() as notes:
        logging.getLogger("somebody else").warning("hello")
    assert notes == []
    assert "hello" in caplog.text
