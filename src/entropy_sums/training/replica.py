"""Replica of a pack: seed and settings that it is trained with."""

from __future__ import annotations

from dataclasses import dataclass

from entropy_sums.models import ModelSettings
from entropy_sums.training.settings import TrainingSettings


@dataclass(frozen=True)
class Replica:
    """The seed and the settings of one replica of a pack."""

    seed: int
    model: ModelSettings
    training: TrainingSettings
