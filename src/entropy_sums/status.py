"""Progress of a study, read from its files alone: while it runs, from any machine that sees them."""

from __future__ import annotations

import math
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from entropy_sums.files import newer
from entropy_sums.progress import FAILED, INTERRUPTED, SUFFIX, Progress
from entropy_sums.study.grid import Grid, Job
from entropy_sums.terminal import duration

SILENCE = 120.0
"""Seconds of silence that are normal for a running job. A job reports its progress about every 10 seconds, and a
network file system may hide it for more than a minute."""

HOUR = 3600.0

LISTED = 10
"""Number of jobs listed per state, unless all are asked for."""

LOGS = {"logs": "log", "benchmarks": "tsv"}
"""Folder of the workflow's files about jobs → suffix; a benchmark is written once its job has succeeded."""

NEVER = -math.inf

LINES_SHOWN = 5
TAIL = 2**13
"""Number of bytes at the end of a log that are read for the lines shown."""


class State(StrEnum):
    """State of a job, shared by its runs."""

    DONE = "done"
    """Its trace is there."""
    RUNNING = "running"
    """Its progress, log or checkpoint was written to a short while ago."""
    INTERRUPTED = INTERRUPTED
    """It has stopped and left a checkpoint, from which it will resume."""
    FAILED = FAILED
    """It ended with an error, or fell silent before its first checkpoint: killed."""
    MISSING = "missing"
    """It has not begun and may be queued, or its files were deleted."""


@dataclass(frozen=True)
class JobStatus:
    """Status of a job as its files show it.

    Attributes:
        runs: number of runs.
        step: last known step, or the step of the checkpoint of an interrupted job; None where no file tells.
        steps: total number of steps.
        elbo: median over its runs at that step, nats per data point; None where no file tells.
        gap: median of the absolute gap, likewise.
        diverged: number of runs that have diverged, as far as is known.
        age: seconds since the last sign of life; None where there is none.
        log: its log file; None where there is none.
        reason: reason of a failure, in words.
        last_lines: last lines of the log of a failed job.
    """

    name: str
    model: str
    dataset: str
    runs: int
    steps: int
    state: State
    step: int | None = None
    elbo: float | None = None
    gap: float | None = None
    diverged: int = 0
    age: float | None = None
    log: str | None = None
    reason: str | None = None
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """Progress of a study.

    Attributes:
        jobs: every job of the study.
        runs_per_hour: rate of runs that ended in the last hour, counted from the start of the first job that ended in
            it if that is later; None where none ended.
        basis: basis of the rate, in words.
    """

    jobs: tuple[JobStatus, ...]
    runs_per_hour: float | None
    basis: str

    def of(self, state: State) -> list[JobStatus]:
        """The jobs in this state."""
        return [job for job in self.jobs if job.state == state]

    @property
    def runs(self) -> dict[State, int]:
        """State → number of runs."""
        return _runs(self.jobs)

    @property
    def cells(self) -> dict[tuple[str, str], dict[State, int]]:
        """Model and dataset → state → number of runs."""
        groups: dict[tuple[str, str], list[JobStatus]] = {}
        for job in self.jobs:
            groups.setdefault((job.model, job.dataset), []).append(job)
        return {cell: _runs(jobs) for cell, jobs in groups.items()}

    @property
    def seconds_to_go(self) -> float | None:
        """Seconds for the remaining part of the runs that are neither done nor failed, at the present rate.

        None where nothing is running or the rate is not known.
        """
        if self.runs_per_hour is None or not self.of(State.RUNNING):
            return None
        ahead = [job for job in self.jobs if job.state not in (State.DONE, State.FAILED)]
        return HOUR * sum(job.runs * (1 - (job.step or 0) / job.steps) for job in ahead) / self.runs_per_hour

    def as_json(self) -> dict[str, Any]:
        """Everything as plain JSON types."""
        return {
            "runs": self.runs,
            "cells": [{"model": m, "dataset": d, **runs} for (m, d), runs in self.cells.items()],
            "runs_per_hour": self.runs_per_hour,
            "seconds_to_go": self.seconds_to_go,
            "jobs": [asdict(job) for job in self.jobs],
        }


def look(grid: Grid, silence: float = SILENCE) -> Status:
    """Status of the study of this grid.

    The status follows from the existence and times of files, the progress that jobs report, and the ends of the logs of
    failed jobs. Snakemake and `collect` check whether a trace matches the present settings. Times are compared with the
    clock of this machine, or with the newest file where that is ahead. A clock that is ahead of the file server's by
    more than `silence` makes running jobs look silent.

    Args:
        silence: seconds without a sign of life after which a job no longer counts as running.

    Raises:
        OSError: a folder of the study cannot be read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from entropy_sums.study.schema import Study
        >>> axes = {"model": ["vae1"], "dataset": ["pca"], "seed": [0, 1, 2]}
        >>> with TemporaryDirectory() as folder:
        ...     grid = Grid(Study(study="a", axes=axes, results=folder, pack={"size": 2}))
        ...     grid.trace_path("vae1/pca/seed=0-1").parent.mkdir(parents=True)
        ...     grid.trace_path("vae1/pca/seed=0-1").touch()
        ...     [(job.name, job.state.value) for job in look(grid).jobs]
        [('vae1/pca/seed=0-1', 'done'), ('vae1/pca/seed=2', 'missing')]
    """
    # Traces last: a job that ends meanwhile is seen as done
    folder = grid.study.folder
    files = {**_files(folder / "logs" / "train"), **_files(folder / "runs")}
    now = max([time.time(), *(file.st_mtime for file in files.values())])
    jobs = tuple(_judge(job, grid, files, now, silence) for job in grid.jobs.values())
    return Status(jobs, *_rate(jobs, grid))


def as_text(status: Status, grid: Grid, whole: bool = False) -> str:
    """The status of the study of this grid as text; with `whole` every job that is neither done nor missing."""
    runs, folder = status.runs, grid.study.folder
    total = sum(runs.values())
    pace = f"; {_pace(status)}" if runs[State.DONE] < total else ""
    lines = [f"study {grid.study.name} ({grid.source}), results in {folder}"]
    if not folder.exists():
        lines.append(f"{folder} is not there: nothing has begun, or snakemake is started in another folder than this")
    lines += ["", *_table(status), "", f"{runs[State.DONE]} of {total} runs are done{pace}"]
    for state in (State.RUNNING, State.INTERRUPTED, State.FAILED):
        jobs = status.of(state)
        shown = jobs if whole else jobs[:LISTED]
        lines += ["", f"{state} jobs: {len(jobs)}"] if jobs else []
        lines += [f"  {line}" for job in shown for line in _details(job)]
        lines += [f"  … and {len(jobs) - len(shown)} more; --all lists them"] if len(shown) < len(jobs) else []
    return "\n".join([*lines, "", *_next(status, grid)])


def _files(folder: Path) -> dict[str, os.stat_result]:
    """All files in a folder and in the folders below it; empty where there is no folder."""
    found: dict[str, os.stat_result] = {}
    waiting = [str(folder)]
    while waiting:
        # Folders and files may come and go meanwhile
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.is_dir():
                        waiting.append(entry.path)
                    else:
                        found[entry.path] = entry.stat()
    return found


def _judge(job: Job, grid: Grid, files: Mapping[str, os.stat_result], now: float, silence: float) -> JobStatus:
    run = job.runs[0]
    trace, folder = grid.trace_path(job.name), grid.study.folder
    log, benchmark = (str(folder / kind / "train" / f"{job.name}.{end}") for kind, end in LOGS.items())
    progress, checkpoint = (str(trace.with_suffix(suffix)) for suffix in (SUFFIX, ".checkpoint"))
    times = {path: file.st_mtime if (file := files.get(path)) else NEVER for path in (log, progress, checkpoint)}
    judged = partial(JobStatus, job.name, run.model, run.dataset, len(job.runs), run.training.steps)
    if str(trace) in files:
        return judged(state=State.DONE, step=run.training.steps, age=now - files[str(trace)].st_mtime)
    if max(times.values()) == NEVER:
        return judged(state=State.MISSING)
    age = now - max(times.values())
    judged = partial(judged, age=age, log=log if log in files else None)
    # A log that is older than the progress belongs to an earlier attempt
    words = partial(_last_lines, log) if times[log] >= times[progress] else tuple
    # An empty log that is newer belongs to an attempt that begins, and has not reported its progress yet
    begins = times[log] > times[progress] and not files[log].st_size
    try:
        said, saved = None if begins else _said(progress), _saved_step(checkpoint)
    except ValueError as error:
        return judged(state=State.FAILED, reason=str(error), last_lines=words())
    if said is not None:
        judged = partial(judged, elbo=said.elbo, gap=said.gap, diverged=said.diverged)
    # A checkpoint that is newer than the end of an attempt belongs to another attempt, which goes on
    state = said.state if said is not None and times[checkpoint] <= times[progress] else None
    step = None if said is None else said.step
    if state == FAILED:
        reason = "its log ends with an error" if (lines := words()) else "it ended with an error"
        return judged(state=State.FAILED, step=step, reason=reason, last_lines=lines)
    if age < silence and state != INTERRUPTED:
        return judged(state=State.RUNNING, step=max((s for s in (step, saved) if s is not None), default=None))
    if saved is not None:
        return judged(state=State.INTERRUPTED, step=saved)
    if state == INTERRUPTED or (said is None and log in files and newer(Path(benchmark), [Path(log)])):
        return judged(state=State.MISSING)
    reason = "fell silent without a checkpoint: killed (memory, time limit, node)?"
    return judged(state=State.FAILED, step=step, reason=reason, last_lines=words())


def _said(progress: str) -> Progress | None:
    """Progress that a job reports; None where it reports none, or has just ended and removed it."""
    with suppress(FileNotFoundError):
        return Progress.read(Path(progress))
    return None


def _saved_step(checkpoint: str) -> int | None:
    """Step at which a checkpoint was written; None where there is none, or the job has just removed it."""
    try:
        with suppress(FileNotFoundError), safe_open(checkpoint, framework="numpy") as file:
            return int(file.get_tensor("clock")[0])
    except SafetensorError as error:
        raise ValueError(f"no readable checkpoint {checkpoint} ({error}); delete it to train this job anew") from error
    return None


def _last_lines(log: str) -> tuple[str, ...]:
    """The last lines of a log that are not blank."""
    with suppress(FileNotFoundError), open(log, "rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
        # Two writers of one log, as after a restart beside an orphan, leave a hole of zeros
        text = file.read().replace(b"\0", b"").decode(errors="replace")
        return tuple(line for line in text.splitlines() if line.strip())[-LINES_SHOWN:]
    return ()


def _rate(jobs: Sequence[JobStatus], grid: Grid) -> tuple[float | None, str]:
    """Number of runs per hour, and the basis of this rate."""
    recent = [(job.age, job) for job in jobs if job.state == State.DONE and job.age is not None and job.age < HOUR]
    if not recent:
        return None, "no run has ended in the last hour"
    from entropy_sums.traces.read import TraceError, seconds_of_training

    age, first = max(recent, key=lambda pair: pair[0])
    try:
        trained = seconds_of_training(grid.trace_path(first.name))
    except TraceError:
        return None, f"the trace of {first.name} does not tell how long it took, and so no rate is known"
    # Jobs that begin together end together: their time counts from when they began
    seconds = min(max(age + trained, 1.0), HOUR)
    runs = sum(job.runs for _, job in recent)
    return HOUR * runs / seconds, f"{runs} runs ended in the last {duration(seconds)}"


def _runs(jobs: Sequence[JobStatus]) -> dict[State, int]:
    return {state: sum(job.runs for job in jobs if job.state == state) for state in State}


def _table(status: Status) -> list[str]:
    """Number of runs per model, dataset and state."""
    rows = [("model", "dataset", *State), *((*cell, *runs.values()) for cell, runs in status.cells.items())]
    rows.append(("all", "", *status.runs.values()))
    first, second = (max(len(str(row[column])) for row in rows) for column in (0, 1))
    return [
        f"  {model:{first}}  {dataset:{second}}" + "".join(f"{count!s:>13}" for count in counts)
        for model, dataset, *counts in rows
    ]


def _pace(status: Status) -> str:
    if status.runs_per_hour is None:
        return status.basis
    pace = f"{status.runs_per_hour:.3g} an hour ({status.basis})"
    if status.seconds_to_go is None:
        return pace
    return f"{pace}: about {duration(status.seconds_to_go)} to go for those not failed, if they take as long"


def _details(job: JobStatus) -> list[str]:
    lost = f", {job.diverged} of {job.runs} runs diverged" if job.diverged else ""
    reached = f"step {job.step or 0}/{job.steps}{lost}"
    told = {
        State.RUNNING: f"{job.name}: {reached}",
        State.INTERRUPTED: f"{job.name}: will go on from {reached}",
        State.FAILED: f"{job.name}: {job.reason}",
    }
    where = [f"  {job.log}"] if job.state == State.FAILED and job.log else []
    return [told[job.state], *where, *(f"  | {line}" for line in job.last_lines)]


def _next(status: Status, grid: Grid) -> list[str]:
    """Next commands to type."""
    size = f" --config size={grid.study.size}" if grid.study.size else ""
    command = f"snakemake --configfile {shlex.quote(grid.source)}{size}"
    runs = status.runs
    if runs[State.DONE] == sum(runs.values()):
        return [f"next: {command} makes the figures, tables and report that are not there yet"]
    if runs[State.RUNNING]:
        again = [f"once it has ended, {command} trains failed jobs again"] if runs[State.FAILED] else []
        return ["next: nothing to type, the study is under way", *again]
    lines = [f"next: {command} (with the --profile that you use) goes on, unless it still waits for queued jobs"]
    if runs[State.INTERRUPTED] or runs[State.FAILED]:
        lines.append(f"a job begins anew, instead, once its .checkpoint in {grid.study.folder}/runs is deleted")
    return lines
