"""Progress of a training: a small file that `entropy-sums status` reads, and what is said meanwhile."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from entropy_sums.files import atomic
from entropy_sums.study.grid import Job
from entropy_sums.terminal import Meter

if TYPE_CHECKING:
    from entropy_sums.training.pack import Pack

SUFFIX = ".progress"
"""Suffix of the progress file, which otherwise has the name of the trace."""

SECONDS_BETWEEN = 10.0
"""Shortest time between two updates of the file, each with a line in the log."""

RUNNING, INTERRUPTED, FAILED = "running", "interrupted", "failed"
"""States of a job that has begun and has no trace."""


@dataclass(frozen=True)
class Progress:
    """State of a job, as in the file beside its checkpoint.

    Attributes:
        job: name of the job.
        identity: identity of the job.
        started: time at which this attempt began, ISO 8601.
        host: machine of this attempt.
        pid: process of this attempt on that machine.
        state: `running`, `interrupted` or `failed`; it stays `running` for a job that was killed.
        step: last reported step of this attempt.
        steps: total number of steps.
        seconds: time of training until that step, earlier attempts included.
        elbo: median of the ELBO over the runs, nats per data point; None before the first record, and without a finite
            one.
        gap: median of the absolute gap over the runs, likewise.
        diverged: number of runs that have diverged.
    """

    job: str
    identity: str
    started: str
    host: str
    pid: int
    state: str
    step: int
    steps: int
    seconds: float = 0.0
    elbo: float | None = None
    gap: float | None = None
    diverged: int = 0

    def write(self, path: Path) -> None:
        """Replace the file at `path` in one step.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> said = Progress("vae1/pca/seed=0", "0f", "2026-11-30T12:00:00+00:00", "node7", 12, RUNNING, 20, 40)
            >>> with TemporaryDirectory() as folder:
            ...     said.write(Path(folder, "seed=0.progress"))
            ...     Progress.read(Path(folder, "seed=0.progress")) == said
            True
        """
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Progress:
        """Read the file at `path`.

        Raises:
            ValueError: it is no progress of a job.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(f"no readable progress {path} ({error}); delete it") from error


class Reporter:
    """Report the progress of a job while its block runs: in a file beside the trace, and on standard error.

    The file exists while the block runs. After an error it stays and records the failure.

    Args:
        job: job to report on.
        trace: file that the job will write.
    """

    def __init__(self, job: Job, trace: Path) -> None:
        self.path = trace.with_suffix(SUFFIX)
        steps = job.runs[0].training.steps
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._now = Progress(job.name, job.identity, started, platform.node(), os.getpid(), RUNNING, 0, steps)
        self._meter = Meter(f"{job.name}: step", steps)
        self._last = -math.inf

    def __enter__(self) -> Reporter:
        self._now.write(self.path)
        self._meter.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._meter.__exit__()
        if error is None:
            self.path.unlink(missing_ok=True)
        else:
            state = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
            # On a full disk the error in progress has to be reported
            with suppress(OSError):
                replace(self._now, state=state).write(self.path)

    def observe(self, pack: Pack) -> None:
        """Report the state of a pack; called at every recorded step, and between them."""
        record = pack.trace.records[-1]
        self._now = now = replace(
            self._now,
            step=pack.step,
            seconds=pack.seconds,
            elbo=_median(record["elbo"].tolist()),
            gap=_median(map(abs, record["gap"].tolist())),
            diverged=sum(not math.isnan(step) for step in pack.trace.diverged_at.tolist()),
        )
        elbo, gap = (math.nan if value is None else value for value in (now.elbo, now.gap))
        lost = f", {now.diverged} diverged" if now.diverged else ""
        due = time.monotonic() - self._last >= SECONDS_BETWEEN or now.step == now.steps
        if due:
            self._last = time.monotonic()
            now.write(self.path)
        # After the file, by whose time `status` knows a log of the same attempt
        self._meter.tell(now.step, f"{now.seconds:.0f} s, median elbo {elbo:.4f}, |gap| {gap:.4g} nats{lost}", due)


def _median(values: Iterable[float]) -> float | None:
    """Median of the finite values; None where every replica has diverged."""
    finite = [value for value in values if math.isfinite(value)]
    return statistics.median(finite) if finite else None
