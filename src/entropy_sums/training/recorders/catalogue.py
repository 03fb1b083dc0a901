"""All recorders, in the order in which they record."""

from __future__ import annotations

from entropy_sums.packages import members
from entropy_sums.training import recorders
from entropy_sums.training.recorders.base import Recorder
from entropy_sums.training.recorders.bounds import HeldoutBound, TrainingBound

FIRST: list[type[Recorder]] = [TrainingBound, HeldoutBound]
"""Recorders that come first: a model may keep results for their noise, such as its partition function."""

RECORDERS = [*FIRST, *(kind for kind in members(recorders, Recorder) if kind not in FIRST)]
