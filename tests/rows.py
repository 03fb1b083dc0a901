"""Finding a row of a table."""

import numpy as np


def row(frame, **cell):
    """The one row that has these values."""
    chosen = frame[np.logical_and.reduce([frame[axis] == value for axis, value in cell.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]
