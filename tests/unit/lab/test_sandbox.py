"""Whatever an idea does, this process goes on and gets words."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ideas import FRAME, PROX_LINE, frame, step

from unmixel.core.errors import IdeaError
from unmixel.lab.attempt import checked
from unmixel.lab.idea import Idea
from unmixel.lab.sandbox import Limits, perform, workshop

pytestmark = pytest.mark.slow

LIMITS = Limits(seconds=60, bytes=3_000_000_000)


def refusal(idea: Idea, limits: Limits = LIMITS) -> str:
    with pytest.raises(IdeaError) as caught:
        checked(idea, limits)
    text = str(caught.value)
    assert text.startswith(idea.file)
    assert "Traceback" not in text
    assert "unmixel/" not in text, "lines of ours are no help"
    return text


def test_a_good_idea_passes() -> None:
    kind, name = checked(frame(), LIMITS)
    assert (kind.name, name) == ("constraint", "rim_of_test")


def test_an_endless_loop_is_ended_and_its_line_is_told() -> None:
    begun = time.monotonic()
    text = refusal(frame("while True: pass"), Limits(20, LIMITS.bytes))
    assert "it did not end within 20 s" in text
    assert f"it was at frame.py, line {PROX_LINE}, in prox" in text
    assert time.monotonic() - begun < 60


def test_an_idea_that_sleeps_is_ended() -> None:
    assert "did not end within 12 s" in refusal(
        frame("__import__('time').sleep(999)"), Limits(12, LIMITS.bytes)
    )


def test_a_memory_hog_is_refused_its_memory() -> None:
    text = refusal(frame("return [bytearray(10**9) for _ in range(99)]"))
    assert f"frame.py, line {PROX_LINE}, in " in text
    assert "it asked for more memory than it may have" in text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("__import__('os')._exit(0)", "it ended the process (exit status 0) before there was an answer"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "__import__('ctypes').string_at(0)",
            f"it crashed (segmentation fault); it was at frame.py, line {PROX_LINE}",
        ),
        ("__import__('os').abort()", "it crashed (aborted)"),
        ("[print('x' * 100000) for _ in range(10**6)]", "it printed more than 16 MB and was ended"),
        ("return z.nothing", f"frame.py, line {PROX_LINE}, in prox: AttributeError"),
        ("raise RecursionError('deep')", f"frame.py, line {PROX_LINE}, in prox: RecursionError: deep"),
        ("__import__('os').system('ls')", "an idea may not start processes"),
    ],
    ids=lambda value: value[:28],
)
def test_every_other_end_has_its_words(body: str, words: str) -> None:
    assert words in refusal(frame(body))


def test_what_fails_before_there_is_a_class_names_its_line() -> None:
    missing = Idea("frame.py", FRAME.replace("import numpy as np", "import numpi as np"))
    assert (
        "frame.py, line 4: ModuleNotFoundError: No module named 'numpi'\n    import numpi as np"
        in refusal(missing)
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return self.done(scan, np.where(np.asarray(scan.data) > 3, np.nan, 1.0))", "NaN or infinite"),
        ("return self.done(scan, -1.0 * np.asarray(scan.data))", "the preparation leaves negative values"),
        ("return scan.data", "AttributeError"),
    ],
)
def test_liars_that_pass_unseen_are_caught_in_the_run(body: str, words: str, tmp_path: Path) -> None:
    from unmixel.lab.wall import write_scan
    from unmixel.testing.phantoms import glass

    scan, _ = glass(scan=(10, 11), detector=(16, 18), precipitates=1, dose=3000)
    write_scan(tmp_path / "drawn.npz", scan)
    recipe = {"prepare": [{"step_of_test": {}}], "factorize": {"components": 2}, "interpret": {"group": None}}
    with workshop() as folder:
        outcome = perform(
            folder,
            "run",
            [step(body)],
            limits=LIMITS,
            scan=tmp_path / "drawn.npz",
            recipes=[recipe],
            tried=True,
        )
    assert words in outcome.failed
    assert not outcome.told.get("broken")


def test_no_process_is_left_behind_and_memory_is_measured() -> None:
    body = (
        "import threading; threading.Thread(target=__import__('time').sleep, args=(600,)).start(); return z"
    )
    with workshop() as folder:
        outcome = perform(folder, "laws", [frame(body)], limits=LIMITS)
        assert 30e6 < outcome.peak_bytes < 2e9
    left = subprocess.run(
        ["ps", "-o", "args", "--ppid", str(os.getpid())], capture_output=True, text=True
    ).stdout
    assert "unmixel.lab.child" not in left


def test_a_job_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom unmixel.lab.idea import Idea\n"
        "from unmixel.lab.sandbox import Limits, perform\n"
        "idea = Idea('x.py', 'import time\\ntime.sleep(300)')\n"
        "perform(Path(sys.argv[1]), 'laws', [idea], limits=Limits(300, 10**10))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    job = tmp_path / "job.json"
    _until(job.exists)
    time.sleep(3)
    parent.kill()
    parent.wait()
    _until(lambda: not _in_folder(tmp_path), seconds=30)


def _until(holds, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "too late"
        time.sleep(0.2)


def _in_folder(folder: Path) -> bool:
    """Return whether a process works in a folder."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink() == folder.resolve():
                return True
        except OSError:
            continue
    return False
