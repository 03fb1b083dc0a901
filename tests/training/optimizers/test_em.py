"""EM as the optimiser of a phase: monotone, packed, resumed."""

import numpy as np
import pytest
from pydantic import ValidationError

from entropy_sums.models import MODELS
from entropy_sums.training.pack import Interrupted, Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import PhaseSettings, TrainingSettings

POINTS = np.random.default_rng(0).normal(size=(90, 3)) + np.repeat([[0.0], [2.0], [4.0]], 30, axis=0)
TRAIN, TEST = POINTS[::2], POINTS[1::2]
EM = {"optimizer": "em", "batch_size": "full", "steps": 30}
MODELS_WITH_EM = ["gaussian_mixture", "factor_analysis"]


def replicas(model, *phases, seeds=(0, 1, 2), every=5):
    training = TrainingSettings(phases=phases, evaluation={"every": every, "samples": 2}, precision="float64")
    return [Replica(seed, MODELS[model](), training) for seed in seeds]


def equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("model", MODELS_WITH_EM)
def test_the_trace_of_em_never_falls_and_its_elbo_is_the_likelihood(model):
    recorded = Pack(replicas(model, EM), TRAIN, TEST).run().arrays()
    assert (np.diff(recorded["elbo"], axis=0) > -1e-12).all()
    assert (recorded["elbo"][-1] > recorded["elbo"][0] + 0.1).all()
    np.testing.assert_allclose(recorded["elbo"], recorded["log_likelihood"], rtol=1e-10)
    np.testing.assert_allclose(recorded["directional_derivative"].sum(-1), recorded["gap"], atol=1e-8)
    assert (recorded["elbo_standard_error"] == 0).all()


@pytest.mark.parametrize("model", MODELS_WITH_EM)
def test_gradients_do_not_leave_the_optimum_of_em(model):
    """They have the same stationary points."""
    long = EM | {"steps": 1000}
    ascent = {"optimizer": "adam", "batch_size": "full", "steps": 10, "learning_rate": 1e-6, "samples": 2}
    recorded = Pack(replicas(model, long, ascent, every=1000), TRAIN, TEST).run().arrays()
    assert (recorded["gradient_norm"][-2] < 1e-5).all()
    np.testing.assert_allclose(recorded["elbo"][-1], recorded["elbo"][-2], atol=1e-7)


@pytest.mark.parametrize("model", MODELS_WITH_EM)
def test_alone_as_in_a_pack(model):
    pack = replicas(model, EM)
    packed, alone = (Pack(part, TRAIN, TEST).run().arrays() for part in (pack, pack[1:2]))
    np.testing.assert_allclose(packed["elbo"][:, 1], alone["elbo"][:, 0], rtol=1e-9)


@pytest.mark.parametrize("at", [4, 30, 35])
def test_resumes_to_the_same_trace(tmp_path, at):
    phases = [EM, {"steps": 10, "batch_size": 7, "learning_rate": 1e-3}]
    options = {"identity": "job", "checkpoint": tmp_path / "job.checkpoint"}
    pack = Pack(replicas("gaussian_mixture", *phases), TRAIN, TEST, **options)
    with pytest.raises(Interrupted, match=f"step {at} of 40"):
        pack.run(lambda pack: pack.stop() if pack.step == at else None)
    resumed = Pack(replicas("gaussian_mixture", *phases), TRAIN, TEST, **options)
    undisturbed = Pack(replicas("gaussian_mixture", *phases), TRAIN, TEST)
    equal(undisturbed.run().arrays(), resumed.run().arrays())


def test_a_component_that_shrinks_to_a_point_does_not_end_its_pack():
    """The likelihood has no bound; the replica is frozen and marked, the others go on."""
    few = np.repeat(TRAIN[:4], 10, axis=0)
    settings = MODELS["gaussian_mixture"](latent_dim=4, covariance="full", initial_std=0.1)
    pack = [Replica(r.seed, settings, r.training) for r in replicas("gaussian_mixture", EM)]
    trace = Pack(pack, few, TEST).run()
    assert np.isfinite(trace.diverged_at).any()
    assert np.isfinite(trace.arrays()["elbo"]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"batch_size": 10}, "batch_size: 10; write batch_size: full"), ({"weight_decay": 0.1}, "em has no weight_decay")],
)
def test_settings_that_em_cannot_have_are_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        PhaseSettings(**(EM | change))


def test_its_forecast_counts_no_gradients():
    assert 3 * PhaseSettings(**EM).passes == PhaseSettings(**(EM | {"optimizer": "adam"})).passes
