"""SUSY: simulated collisions of particles in one compressed table."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from entropy_sums.data import places
from entropy_sums.data.base import MeasuredSettings
from entropy_sums.data.preparation import add_noise
from entropy_sums.data.scaling import Scaling

FIRST_HELD_OUT = 4_500_000
"""First row of the published test set."""

COLUMNS = 19
"""The label and 18 features."""


def read_rows(path: Path, start: int, count: int) -> np.ndarray:
    """`count` rows of features from row `start` on, shape (count, 18), without the label in the first column.

    Raises ValueError, naming the file, where it is damaged, has other columns or fewer rows.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, header=None, skiprows=start, nrows=count, dtype=np.float64)
    except pd.errors.EmptyDataError:
        table = pd.DataFrame(columns=range(COLUMNS))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path}: damaged or no table of numbers ({error}); delete it or replace it") from error
    if table.shape[1] != COLUMNS:
        raise ValueError(f"{path}: {table.shape[1]} columns instead of {COLUMNS}; delete it or replace it")
    if len(table) < count:
        raise ValueError(
            f"{path}: {len(table)} of rows {start} to {start + count} are there; replace it by the whole file"
        )
    return table.to_numpy()[:, 1:]


class SUSY(MeasuredSettings):
    """Simulated collisions of particles, 18 features, by default with mean 0 and standard deviation 1.

    Held-out points are from the last 500,000 rows, as published; labels are left out.
    """

    name = "susy"
    label = "SUSY"
    source = "SUSY, UCI Machine Learning Repository; Baldi et al. (Nature Communications 2014)"
    numbers = "real"

    train: Annotated[int, Field(ge=2, le=4_500_000)] = 100_000
    """Number of training points, the first of the file."""
    test: Annotated[int, Field(ge=2, le=500_000)] = 10_000
    """Number of held-out points, the first of the last 500,000 rows."""

    scale: Literal["standardise", "unit_columns"] = "standardise"
    """Scale of every feature on the training points: mean 0 and standard deviation 1, or [0, 1] (`unit_columns`)."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, 18

    @classmethod
    def missing(cls, data_dir: Path) -> str | None:
        folder = data_dir / cls.name
        if places.find("SUSY.csv", folder) is not None:
            return None
        return f"SUSY.csv(.gz) is not in {folder}; get it from https://archive.ics.uci.edu/dataset/279/susy"

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict[str, Any]:
        """The 18 features of the first training and the first held-out rows, scaled by the training points.

        Raises FileNotFoundError, saying where to get it, where the file is not in `data_dir`/susy, and ValueError where
        it is damaged, too short or another table.
        Source: Baldi, Sadowski & Whiteson (Nature Communications 2014).
        """
        path = places.find("SUSY.csv", data_dir / self.name)
        if path is None:
            raise FileNotFoundError(self.missing(data_dir))
        rows = {"train": read_rows(path, 0, self.train), "test": read_rows(path, FIRST_HELD_OUT, self.test)}
        scaling = Scaling.fitted(self.scale, rows["train"])
        noises = dict(zip(rows, generator.spawn(2), strict=True))
        scaled = {part: add_noise(scaling(points), self.noise, noises[part]) for part, points in rows.items()}
        return {**scaled, "scaling": scaling}
