"""Empty components, and components that are alike, are recorded and said."""

import numpy as np
import pytest
import torch
from scipy import stats

from entropy_sums.models import MODELS
from entropy_sums.training.pack import Interrupted, Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

SOURCE = np.random.default_rng(1)
RATES = np.array([[2000.0, 300.0, 50.0], [6000.0, 100.0, 50.0]])
COUNTS = SOURCE.poisson(RATES[SOURCE.integers(0, 2, 300)]).astype(float)


def pack(start="kmeans++", components=2, **options):
    training = TrainingSettings(
        phases=[{"steps": 40, "batch_size": "full", "optimizer": "em"}],
        evaluation={"every": 10, "certificate": False},
        precision="float64",
    )
    settings = MODELS["poisson_mixture"](latent_dim=components, start=start)
    return Pack([Replica(seed, settings, training) for seed in (3, 5)], COUNTS, COUNTS[:50], **options)


def test_components_in_use():
    trained = pack()
    at_end = trained.run().at_end
    assert trained.warnings == []
    shares = at_end["component_share"]
    np.testing.assert_allclose(shares.sum(1), 1)
    assert (at_end["empty_components"] == 0).all()
    # No point is shared
    np.testing.assert_allclose(at_end["used_components"], np.exp(stats.entropy(shares, axis=1)), rtol=1e-6)


def test_empty_components_are_said():
    """The random start leaves all points to one component, whose gap is zero."""
    trained = pack("random")
    trace = trained.run()
    assert abs(trace.arrays()["gap"][-1]).max() < 1e-9
    np.testing.assert_array_equal(trace.at_end["empty_components"], 1)
    np.testing.assert_allclose(trace.at_end["used_components"], 1)
    (line,) = trained.warnings
    assert "2 of 2 runs end (seeds 3, 5) with an empty component" in line
    assert "start: kmeans++" in line


def test_components_that_are_all_alike_are_said():
    trained = pack("random")
    with torch.no_grad():
        trained.model.components.weight.fill_(5.0)
    trace = trained.run()
    np.testing.assert_array_equal(trace.at_end["empty_components"], 0)
    np.testing.assert_allclose(trace.at_end["used_components"], 1)
    (line,) = trained.warnings
    assert "2 of 2 runs end (seeds 3, 5) with all components alike" in line


@pytest.mark.parametrize("at", [0, 10])
def test_a_resumed_job_starts_as_it_did(tmp_path, at):
    """Its checkpoint, the first record and the start agree with those of an undisturbed job."""
    options = {"identity": "job", "checkpoint": tmp_path / "job.checkpoint", "checkpoint_seconds": 0}
    first = pack(components=3, **options)
    with pytest.raises(Interrupted):
        first.run(lambda pack: pack.stop() if pack.step == at else None)
    resumed, undisturbed = pack(components=3, **options).run(), pack(components=3).run()
    for name, values in undisturbed.arrays().items():
        np.testing.assert_array_equal(resumed.arrays()[name], values, err_msg=name)
    np.testing.assert_array_equal(resumed.at_end["component_share"], undisturbed.at_end["component_share"])
