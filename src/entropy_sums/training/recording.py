"""Recording of a pack so far, before it becomes a trace file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from entropy_sums.training.evaluation import Record


@dataclass
class Recording:
    """Recorded quantities of the replicas of a pack.

    Attributes:
        steps: recorded steps.
        records: a record for each recorded step, arrays with a leading replica axis.
        at_end: quantities that do not depend on the step, `(replica, …)`.
        diverged_at: the recorded step at which each replica was found diverged, NaN if it never was.
        wall_time: seconds of training until each step.
    """

    diverged_at: np.ndarray
    steps: list[int] = field(default_factory=list)
    wall_time: list[float] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    at_end: Record = field(default_factory=dict)

    def arrays(self) -> Record:
        """Every recorded quantity, `(step, replica, …)`."""
        return {name: np.stack([record[name] for record in self.records]) for name in self.records[0]}
