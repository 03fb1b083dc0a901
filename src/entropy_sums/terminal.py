"""Progress of long work for people who wait: a bar or lines on standard error, and times in words."""

from __future__ import annotations

import sys
import time
from typing import Any

SECONDS_BETWEEN_LINES = 10.0


class Meter:
    """Meter of the work that a block does: a bar on a terminal, lines elsewhere, such as in a log.

    Args:
        title: of the bar, and the beginning of each line.
        total: number of steps.

    Example:
        >>> import contextlib
        >>> with contextlib.redirect_stderr(sys.stdout), Meter("vae1/pca/seed=0: step", 40) as meter:
        ...     meter.tell(20, "3 s", now=True)
        vae1/pca/seed=0: step 20/40, 3 s
    """

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total = title, total
        self._bar: Any = None

    def __enter__(self) -> Meter:
        self._last = time.monotonic()
        if sys.stderr.isatty():
            # Where there is no terminal, as in a batch job, nothing waits for the import
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            done, state = TextColumn("{task.completed}/{task.total}"), TextColumn("{task.fields[state]}")
            columns = (TextColumn("{task.description}"), BarColumn(), done, TimeRemainingColumn(), state)
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task(self.title, total=self.total, state="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, done: int, state: str = "", now: bool = False) -> None:
        """Show the number of steps done, and what else there is to say; a line only now and then, or `now`."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, state=state)
        elif now or time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            print(", ".join(filter(None, [f"{self.title} {done}/{self.total}", state])), file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A time in words, to the minute from one minute on.

    Example:
        >>> duration(11.3), duration(590), duration(5400), duration(360_000)
        ('11 s', '10 min', '1 h 30 min', '100 h 00 min')
    """
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
