"""Memory of a process as Linux tells it."""

from __future__ import annotations

import threading
from pathlib import Path


def told_mb(pid: int | str = "self") -> dict[str, float]:
    """Return what a process holds and has held, in MB (10^6 bytes): ``VmRSS``, ``RssAnon``, ``VmHWM`` and more."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {line[0].rstrip(":"): int(line[1]) * 1024 / 1e6 for line in lines if line[-1] == "kB"}


class Resident:
    """The largest resident memory of this process while it is entered, whole and without mapped files, in MB."""

    def __enter__(self) -> Resident:
        self.before = told_mb() if Path("/proc/self/status").exists() else {}
        self.peak = {key: self.before.get(key, 0.0) for key in ("VmRSS", "RssAnon")}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while self.before and not self._over.wait(0.005):
            told = told_mb()
            self.peak = {key: max(peak, told[key]) for key, peak in self.peak.items()}

    @property
    def risen(self) -> float:
        """By how much resident memory rose above what it was before, in MB."""
        return self.peak["VmRSS"] - self.before.get("VmRSS", 0.0)
