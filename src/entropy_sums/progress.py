"""Progress of a training: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

import numpy as np

from entropy_sums.training.pack import Pack

SECONDS_BETWEEN_LINES = 10.0


class Reporter:
    """Tells how far a job is, on standard error.

    Args:
        name: of the job.
        replicas: number of its runs.
        steps: optimiser steps in all.
    """

    def __init__(self, name: str, replicas: int, steps: int) -> None:
        self.name, self.replicas, self.steps = name, replicas, steps
        self._bar: Any = None
        self._last_line = -np.inf

    def __enter__(self) -> Reporter:
        if sys.stderr.isatty():
            # A batch job has no terminal and need not wait for the import.
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
            times = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[state]}"))
            self._bar = Progress(*columns, *times, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(f"{self.name} ×{self.replicas}", total=self.steps, state="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def observe(self, pack: Pack) -> None:
        """To be called at every recorded step, and between them."""
        record = pack.trace.records[-1]
        elbo, gap = _median(record["elbo"]), _median(np.abs(record["gap"]))
        diverged = int(np.count_nonzero(~np.isnan(pack.trace.diverged_at)))
        lost = f", {diverged} diverged" if diverged else ""
        if self._bar is not None:
            self._bar.update(self._task, completed=pack.step, state=f"elbo {elbo:.2f} gap {gap:.2g}{lost}")
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES or pack.step == self.steps:
            self._last_line = time.monotonic()
            at = f"step {pack.step}/{self.steps}, {pack.seconds:.0f} s"
            state = f"median elbo {elbo:.4f}, median |gap| {gap:.4g} nats{lost}"
            print(f"{self.name}: {at}, {state}", file=sys.stderr, flush=True)


def _median(values: np.ndarray) -> float:
    """Median of the finite values; NaN where every replica has diverged."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.nan
