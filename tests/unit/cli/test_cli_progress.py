"""Progress: a bar on a terminal, lines elsewhere, nothing left behind; Ctrl-C is told in words."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from unmixel.cli import progress
from unmixel.cli.main import INTERRUPTED, TERMINATED, app
from unmixel.cli.progress import Bars
from unmixel.pipeline import stages
from unmixel.pipeline.signals import Terminated


def shown(*, terminal: bool) -> str:
    stream = io.StringIO()
    with Bars(Console(file=stream, force_terminal=terminal, width=100, highlight=False)) as bars:
        bars.stage("factorize")
        bars.note("a remark [with brackets]")
        for sweep in range(1, 4):
            bars.sweep(sweep, 3, 123456.789)
    return stream.getvalue()


def test_a_terminal_gets_a_bar_with_sweep_and_objective() -> None:
    text = shown(terminal=True)
    assert "factorize" in text
    assert "sweep 3 of at most 3, objective 123457" in text
    assert "a remark [with brackets]" in text


def test_a_pipe_gets_lines_and_few_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(terminal=False) == "factorize\na remark [with brackets]\n"
    monkeypatch.setattr(progress, "_LINE_EVERY_S", -1.0)
    assert shown(terminal=False).splitlines()[2:] == [
        f"  sweep {n} of at most 3, objective 123457" for n in (1, 2, 3)
    ]


def test_a_pass_is_told_after_the_sweep_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", -1.0)
    stream = io.StringIO()
    with Bars(Console(file=stream, width=100, highlight=False)) as bars:
        bars.stage("factorize")
        bars.passed(3, 8)
        bars.sweep(1, 9, 5.0)
        bars.passed(4, 8)
        bars.stage("judge")
        bars.passed(1, 8)
    assert stream.getvalue().splitlines() == [
        "factorize",
        "  pass over the data: 3 of 8 parts",
        "  sweep 1 of at most 9, objective 5",
        "  sweep 1 of at most 9, objective 5; pass over the data: 4 of 8 parts",
        "judge",
        "  pass over the data: 1 of 8 parts",
    ]


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, INTERRUPTED), (Terminated, TERMINATED)])
def test_an_interrupt_is_told_in_words(
    error: Any, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(stages, "read", stop)
    done = CliRunner().invoke(app, ["run", "demo:glass", "--out", str(tmp_path / "o")])
    assert done.exit_code == code
    assert "the same command goes on" in done.stderr
