"""How far a study is, told from its files alone: while it runs, from any machine that sees them."""

from __future__ import annotations

import math
import os
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from entropy_sums.study.grid import Grid, Job

SILENCE = 120.0
"""Seconds: a job writes a line at least every 10, and a network file system may hide it for more than a minute."""

HOUR = 3600.0

LISTED = 10
"""Jobs listed per state, unless all are asked for."""

PROGRESS = re.compile(r".*: step (\d+)/\d+, (\d+) s, ")
"""A line of `training.progress`."""

LINES_SHOWN = 5
TAIL = 2**16
"""Bytes at the end of a log that are read: the longest traceback fits."""


class State(StrEnum):
    """What has become of a job; its runs share it."""

    DONE = "done"
    """Its trace is there."""
    RUNNING = "running"
    """Its log or checkpoint was written to a short while ago."""
    INTERRUPTED = "interrupted"
    """It has stopped and left a checkpoint, from which it will go on."""
    FAILED = "failed"
    """Its log ends with an error, or it fell silent before its first checkpoint: killed."""
    MISSING = "missing"
    """Not begun, perhaps queued; or what it left was deleted."""


@dataclass(frozen=True)
class JobStatus:
    """One job as its files show it.

    Attributes:
        runs: how many.
        step: the last one heard of, and of an interrupted job that of its checkpoint; None where no file tells.
        steps: in all.
        age: seconds since the last sign of life; None where there is none.
        log: its log file; None where there is none.
        reason: of a failure, in words.
        last_lines: of the log of a failed job.
    """

    name: str
    model: str
    dataset: str
    runs: int
    steps: int
    state: State
    step: int | None = None
    age: float | None = None
    log: str | None = None
    reason: str | None = None
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Log:
    """The end of the log of a job.

    Attributes:
        lines: all that are not blank.
        step: of the last line of progress; None where there is none.
        seconds: of training, from the same line.
        words: the lines after it.
    """

    lines: tuple[str, ...] = ()
    step: int | None = None
    seconds: float = 0.0
    words: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: str) -> Log:
        """The log at `path`.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> with TemporaryDirectory() as folder:
            ...     path = Path(folder) / "a.log"
            ...     _ = path.write_text("vae1/a: step 20/40, 3 s, median elbo 1\\nentropy-sums train: no space left\\n")
            ...     log = Log.read(str(path))
            >>> log.step, log.seconds, log.failed
            (20, 3.0, True)
        """
        with open(path, "rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
            # Two writers of one log, as after a restart beside an orphan, leave a hole of zeros
            text = file.read().replace(b"\0", b"").decode(errors="replace")
        lines = tuple(line for line in text.splitlines() if line.strip())
        for position in reversed(range(len(lines))):
            if match := PROGRESS.match(lines[position]):
                return cls(lines, int(match[1]), float(match[2]), lines[position + 1 :])
        return cls(lines, words=lines)

    @property
    def interrupted(self) -> bool:
        """Whether it ends because the job was asked to stop."""
        last = self.words[-1] if self.words else ""
        return ": stopped after step " in last or last == "KeyboardInterrupt"

    @property
    def failed(self) -> bool:
        """Whether it ends with an error."""
        errors = ("entropy-sums train: ", "Traceback (most recent call last)")
        return not self.interrupted and any(line.startswith(errors) for line in self.words)


@dataclass(frozen=True)
class Status:
    """How far a study is.

    Attributes:
        jobs: every job of the study.
        runs_per_hour: runs that ended in the last hour, or since the first job that ended in it began, per hour;
            None where none ended.
        basis: what the rate rests on, in words.
    """

    jobs: tuple[JobStatus, ...]
    runs_per_hour: float | None
    basis: str

    def of(self, state: State) -> list[JobStatus]:
        """The jobs in this state."""
        return [job for job in self.jobs if job.state == state]

    @property
    def runs(self) -> dict[State, int]:
        """State → runs."""
        return _runs(self.jobs)

    @property
    def cells(self) -> dict[tuple[str, str], dict[State, int]]:
        """Model and dataset → state → runs."""
        groups: dict[tuple[str, str], list[JobStatus]] = {}
        for job in self.jobs:
            groups.setdefault((job.model, job.dataset), []).append(job)
        return {cell: _runs(jobs) for cell, jobs in groups.items()}

    @property
    def seconds_to_go(self) -> float | None:
        """Runs that are neither done nor failed, less the part of them that is, by the rate.

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
    """How far the study of this grid is.

    Only existence, times and the ends of files are looked at: whether a trace is of the settings as they are now is
    for Snakemake and `collect` to say. Times are compared with the clock of this machine, or with the newest file
    where that is ahead; a clock that is ahead of the file server's by more than `silence` makes what runs look silent.

    Args:
        silence: seconds without a sign of life after which a job no longer runs.

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
    logs = grid.study.folder / "logs" / "train"
    times = {**_times(logs), **_times(grid.study.folder / "runs")}
    now = max([time.time(), *times.values()])
    jobs = tuple(
        _judge(job, grid.trace_path(job.name), f"{logs}/{job.name}.log", times, now, silence)
        for job in grid.jobs.values()
    )
    return Status(jobs, *_rate(jobs))


def describe(status: Status, grid: Grid, whole: bool = False) -> str:
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


def _times(folder: Path) -> dict[str, float]:
    """Every file in a folder and those below it → when it was last written; nothing where there is no folder."""
    found: dict[str, float] = {}
    waiting = [str(folder)]
    while waiting:
        # Folders and files may come and go meanwhile
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.is_dir():
                        waiting.append(entry.path)
                    else:
                        found[entry.path] = entry.stat().st_mtime
    return found


def _judge(job: Job, trace: Path, log: str, times: Mapping[str, float], now: float, silence: float) -> JobStatus:
    run = job.runs[0]
    steps = run.training.steps
    judged = partial(
        JobStatus, job.name, run.model, run.dataset, len(job.runs), steps, log=log if log in times else None
    )
    if str(trace) in times:
        return judged(state=State.DONE, step=steps, age=now - times[str(trace)])
    checkpoint = str(trace.with_suffix(".checkpoint"))
    last_sign = max(times.get(log, -math.inf), times.get(checkpoint, -math.inf))
    if last_sign == -math.inf:
        return judged(state=State.MISSING)
    judged = partial(judged, age=now - last_sign)
    # A log that is older than the checkpoint has not seen the end
    said = Log.read(log) if times.get(log) == last_sign else Log()
    failed = partial(judged, state=State.FAILED, step=said.step, last_lines=said.lines[-LINES_SHOWN:])
    if said.failed:
        return failed(reason="its log ends with an error")
    try:
        saved = _saved_step(checkpoint) if checkpoint in times else None
    except SafetensorError as error:
        return failed(reason=f"no readable checkpoint {checkpoint} ({error}); delete it to train this job anew")
    if now - last_sign < silence and not said.interrupted:
        return judged(state=State.RUNNING, step=max((s for s in (said.step, saved) if s is not None), default=None))
    if saved is not None:
        return judged(state=State.INTERRUPTED, step=saved)
    if said.interrupted or said.step == steps:
        return judged(state=State.MISSING)
    return failed(reason="fell silent without a checkpoint: killed (memory, time limit, node)?")


def _saved_step(checkpoint: str) -> int | None:
    """The step that a checkpoint was written at; None where the job has just ended and taken it away."""
    with suppress(FileNotFoundError), safe_open(checkpoint, framework="numpy") as file:
        return int(file.get_tensor("clock")[0])
    return None


def _rate(jobs: Sequence[JobStatus]) -> tuple[float | None, str]:
    """Runs per hour, and what that rests on."""
    recent = [(job.age, job) for job in jobs if job.state == State.DONE and job.age is not None and job.age < HOUR]
    if not recent:
        return None, "no run has ended in the last hour"
    age, first = max(recent, key=lambda pair: pair[0])
    if first.log is None:
        return None, f"no log tells when {first.name} began, and so no rate is known"
    # Jobs that begin together end together: their time counts from when they began
    seconds = min(max(age + Log.read(first.log).seconds, 1.0), HOUR)
    runs = sum(job.runs for _, job in recent)
    return HOUR * runs / seconds, f"{runs} runs ended in the last {_time(seconds)}"


def _runs(jobs: Sequence[JobStatus]) -> dict[State, int]:
    return {state: sum(job.runs for job in jobs if job.state == state) for state in State}


def _table(status: Status) -> list[str]:
    """Runs per model, dataset and state."""
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
    return f"{pace}: about {_time(status.seconds_to_go)} to go for those not failed, if they take as long"


def _details(job: JobStatus) -> list[str]:
    reached = f"step {job.step or 0}/{job.steps}"
    told = {
        State.RUNNING: f"{job.name}: {reached}",
        State.INTERRUPTED: f"{job.name}: will go on from {reached}",
        State.FAILED: f"{job.name}: {job.reason}",
    }
    where = [f"  {job.log}"] if job.state == State.FAILED and job.log else []
    return [told[job.state], *where, *(f"  | {line}" for line in job.last_lines)]


def _next(status: Status, grid: Grid) -> list[str]:
    """What to type."""
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


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
