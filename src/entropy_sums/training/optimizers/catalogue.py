"""The optimisers of this package by name."""

from __future__ import annotations

from entropy_sums.packages import members
from entropy_sums.training import optimizers
from entropy_sums.training.optimizers.base import Optimizer

OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in members(optimizers, Optimizer)}
