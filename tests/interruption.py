"""Runs that are stopped and go on."""

from pathlib import Path

import numpy as np
import pytest

from entropy_sums.training.pack import Interrupted
from entropy_sums.training.phase import Phase


def interrupted(make, at, folder: Path):
    """A run that was stopped after step `at` and went on from its checkpoint: the pack that has ended it.

    Args:
        make: makes the pack, with the options of a checkpoint.
    """
    options = {"identity": "job", "checkpoint": folder / "job.checkpoint"}
    pack, update = make(**options), Phase.update

    def stopping(phase, step):
        update(phase, step)
        if step == at - 1:
            pack.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Phase, "update", stopping)
        with pytest.raises(Interrupted, match=f"step {at} of"):
            pack.run()
    resumed = make(**options)
    resumed.run()
    return resumed


def same_end(found, expected):
    """Two packs that have run have the same trace, to the last bit, and so have the buffers of their models."""
    arrays = found.trace.arrays()
    for quantity, values in expected.trace.arrays().items():
        np.testing.assert_array_equal(arrays[quantity], values, err_msg=quantity)
    for buffer in expected.model.evolving:
        assert found.model.get_buffer(buffer).equal(expected.model.get_buffer(buffer))
