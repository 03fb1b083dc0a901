"""Settings of every dataset. Light: imported by the workflow, so without numpy or torch."""

from __future__ import annotations

from pydantic import NonNegativeInt

from entropy_sums.settings import Settings


class DatasetSettings(Settings):
    """What all datasets have in common."""

    data_seed: NonNegativeInt = 0
