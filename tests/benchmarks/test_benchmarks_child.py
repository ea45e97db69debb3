"""Children and what they took."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from child import RSS_UNIT, ChildFailedError, run


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_memory_of_a_child_is_counted_and_its_words_come_back() -> None:
    # the count of a child begins at what this process holds
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / 1e6
    said, cost = run(python("x = b'1' * 400_000_000; print('hello')"))
    assert said == "hello\n"
    assert 400 < cost.peak_mb < max(450, own + 50)


def test_time_of_a_child_is_counted() -> None:
    _, asleep = run(python("import time; time.sleep(0.3)"))
    _, busy = run(python("import time\nwhile time.process_time() < 0.3: pass"))
    assert asleep.wall_s > 0.3 > asleep.cpu_s
    assert busy.cpu_s > 0.28


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells what the whole machine does")
def test_other_work_is_seen() -> None:
    spin = python("import time\nend = time.monotonic() + 1.2\nwhile time.monotonic() < end: pass")
    with subprocess.Popen(spin) as other:
        _, cost = run(python("import time; time.sleep(0.6)"))
        other.wait()
    assert cost.others is not None
    assert cost.others > 0.3  # less than one where even more is going on


def test_variables_reach_the_child() -> None:
    said, _ = run(python("import os; print(os.environ['COLOUR'])"), env={"COLOUR": "blue"})
    assert said.strip() == "blue"


def test_a_failed_child_tells_why() -> None:
    with pytest.raises(ChildFailedError, match=r"status 1:(.|\n)*ZeroDivisionError"):
        run(python("1 / 0"))
    with pytest.raises(ChildFailedError, match="No such file"):
        run(["./no-such-program"])
