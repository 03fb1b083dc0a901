"""Training of one pack: many replicas at once, recorded, checkpointed, resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import torch

from entropy_sums.models import build
from entropy_sums.models.abilities import Informed
from entropy_sums.training.phase import Phase
from entropy_sums.training.randomness import Purpose, generator
from entropy_sums.training.recorders.base import Subject
from entropy_sums.training.recorders.catalogue import RECORDERS
from entropy_sums.training.recording import Recording
from entropy_sums.training.replica import Replica
from entropy_sums.training.schedules import evaluation_steps
from entropy_sums.training.state import Standing, Tensors

OBSERVE_SECONDS = 10.0
"""Longest time between two calls of an observer, unless a single step or evaluation takes longer."""


class Interrupted(KeyboardInterrupt):
    """Stop of training on request, as by Ctrl-C; the checkpoint holds all that is needed to resume."""


class Pack:
    """Replicas that are trained together on the same data; `study.fitting` checks that models and data fit.

    Args:
        replicas: replicas of one shape, which differ in seed and packed settings only.
        train, test: training points `(N, D)` and held-out points `(M, D)`.
        device: device to train on.
        identity: identity of the job; a checkpoint of another job is ignored.
        checkpoint: file of the checkpoint; None for no checkpoint.
        checkpoint_seconds: time between checkpoints.
        truth: known parameters of the distribution of the data, as in `Dataset`.

    Attributes:
        trace: recording until now.
        step: number of completed steps.
        seconds: seconds of training until now.
        warnings: lines about what is wrong with the runs at the end of training.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        train: np.ndarray,
        test: np.ndarray,
        device: str | torch.device = "cpu",
        identity: str = "",
        checkpoint: Path | None = None,
        checkpoint_seconds: float = 60.0,
        truth: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.replicas, self.training = replicas, replicas[0].training
        self.identity, self.checkpoint, self.checkpoint_seconds = identity, checkpoint, checkpoint_seconds
        dtype = getattr(torch, self.training.precision)
        self.data, heldout = (torch.as_tensor(x, dtype=dtype, device=device) for x in (train, test))
        generators = [generator(replica.seed, Purpose.PARAMETERS) for replica in replicas]
        self.model = build([r.model for r in replicas], self.data.shape[1], generators).to(device, dtype)
        self.model.start(self.data, [generator(replica.seed, Purpose.START) for replica in replicas])
        if isinstance(self.model, Informed):
            self.model.inform(truth or {})
        subject = Subject.on(self.model, replicas, self.data, heldout)
        self.recorders = [recorder(subject) for recorder in RECORDERS if recorder.applies(subject)]
        self.trace = Recording(diverged_at=np.full(len(replicas), np.nan))
        self.step, self.seconds = 0, 0.0
        self.warnings: list[str] = []
        self._ends = list(accumulate(phase.steps for phase in self.training.phases))
        self._phase: Phase | None = None
        self._resumed: Standing | None = None
        self._stopping = False

    def stop(self) -> None:
        """Request a stop: before the next step a checkpoint is written and Interrupted is raised."""
        self._stopping = True

    def run(self, observe: Callable[[Pack], None] = lambda pack: None) -> Recording:
        """Train to the end, from the checkpoint if there is one.

        `observe` is called at every recorded step, and between them about every `OBSERVE_SECONDS`.

        Raises:
            Interrupted: after `stop()`; all that was recorded so far is in the checkpoint.
        """
        if not self._resume():
            self._record()
            observe(self)
        saved = seen = time.monotonic()
        started = saved - self.seconds
        moments = evaluation_steps(self.training.steps, self.training.evaluation.every, self._ends)
        for start, stop in pairwise([self.step, *(step for step in moments if step > self.step)]):
            phase, kept = self._enter(start)
            for self.step in range(start, stop):
                now = time.monotonic()
                self.seconds = now - started
                if self._stopping or now - saved >= self.checkpoint_seconds:
                    self._save(phase, kept)
                    saved = now
                if now - seen >= OBSERVE_SECONDS:
                    observe(self)
                    seen = now
                if self._stopping:
                    raise Interrupted(f"stopped after step {self.step} of {self.training.steps}")
                phase.update(self.step)
            self.step = stop
            self._freeze(phase, kept, phase.state.broken())
            self.seconds = time.monotonic() - started
            self._record()
            self._freeze(phase, kept, ~np.isfinite(self.trace.records[-1]["elbo"]))
            observe(self)
            seen = time.monotonic()
        for recorder in self.recorders:
            record = recorder.at_end(self.step)
            self.trace.at_end |= record
            self.warnings += recorder.warnings(record)
        return self.trace

    def _enter(self, step: int) -> tuple[Phase, Tensors]:
        """The phase of `step`, and the state to which diverged replicas are put back.

        The phase is created where it begins and where training resumes.
        """
        position = next(i for i, end in enumerate(self._ends) if step < end)
        start = self._ends[position - 1] if position else 0
        if step == start or self._phase is None:
            watchers = [recorder.watch for recorder in self.recorders if recorder.watch is not None]
            self._phase = Phase(self.data, self.model, self.replicas, position, start, watchers)
        kept: Tensors = {}
        if self._resumed is not None:
            self._phase.state.restore(self._resumed.tensors, step - start)
            kept, self._resumed = self._resumed.kept, None
        return self._phase, kept or self._phase.state.copy()

    def _record(self) -> None:
        record = {name: values for recorder in self.recorders for name, values in recorder.at_step(self.step).items()}
        self.trace.steps.append(self.step)
        self.trace.wall_time.append(self.seconds)
        self.trace.records.append(record)

    def _freeze(self, phase: Phase, kept: Tensors, broken: np.ndarray) -> None:
        """Put diverged replicas back to their last sound state, and mark the newly diverged ones."""
        self.trace.diverged_at[broken & np.isnan(self.trace.diverged_at)] = self.step
        phase.state.put_back(kept, ~np.isnan(self.trace.diverged_at))

    def _save(self, phase: Phase, kept: Tensors) -> None:
        """Write a checkpoint; between two recorded steps it has the state to which diverged replicas are put back."""
        if self.checkpoint is not None:
            tensors = phase.state.copy()
            for recorder in self.recorders:
                tensors |= recorder.tensors
            kept = kept if self.step > self.trace.steps[-1] else {}
            Standing(self.step, self.seconds, self.trace, tensors, kept).write(self.checkpoint, self.identity)

    def _resume(self) -> bool:
        if self.checkpoint is not None:
            self._resumed = Standing.read(self.checkpoint, self.identity, self.data.device)
        if self._resumed is None:
            return False
        self.step, self.seconds, self.trace = self._resumed.step, self._resumed.seconds, self._resumed.recording
        for recorder in self.recorders:
            recorder.restore(self._resumed.tensors)
        return True
