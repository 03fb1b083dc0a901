"""L-BFGS as the optimiser of a phase: up to a stationary point, packed, resumed."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from entropy_sums.data import load
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models import MODELS
from entropy_sums.training.pack import Interrupted, Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import PhaseSettings, TrainingSettings

BARS = load(DATASETS["sparse_bars"](side=2, train=60, test=30), Path())
CLIMB = {"optimizer": "lbfgs", "batch_size": "full", "steps": 4, "iterations": 30}
OBJECTIVES = ["elbo", "entropy"]


def replicas(model="sparse_coding", *phases, seeds=(0, 1), precision="float64", **settings):
    training = TrainingSettings(phases=phases or (CLIMB,), evaluation={"every": 1, "samples": 2}, precision=precision)
    return [Replica(seed, MODELS[model](**settings), training) for seed in seeds]


def coding(*phases, seeds=(0, 1), **settings):
    return replicas("sparse_coding", *phases, seeds=seeds, **{"latent_dim": 3, "posterior": "full"} | settings)


def trained(pack):
    return Pack(pack, BARS.train, BARS.test, truth=BARS.truth).run()


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("posterior", ["full", "diagonal"])
def test_the_elbo_never_falls_and_ends_where_it_is_stationary(posterior, objective):
    recorded = trained(coding(CLIMB | {"steps": 8}, posterior=posterior, objective=objective)).arrays()
    assert (np.diff(recorded["elbo"], axis=0) > -1e-9).all()
    assert (recorded["elbo"][-1] > recorded["elbo"][0] + 1).all()
    assert (recorded["gradient_norm"][-1] < 1e-3 * recorded["gradient_norm"][0]).all()
    assert (abs(recorded["gap"][-1]) < 1e-3).all()
    np.testing.assert_allclose(recorded["directional_derivative"].sum(-1), recorded["gap"], atol=1e-8)


def test_both_objectives_reach_one_optimum_and_it_is_above_that_of_the_true_dictionary():
    """What is learned can be the true dictionary, for which posterior, σ and λ are the best ones, too."""
    bars = load(DATASETS["sparse_bars"](side=3, train=200, test=20), Path())
    phase = CLIMB | {"steps": 3, "iterations": 100}
    learned, entropy, true = (
        Pack(coding(phase, seeds=(2,), latent_dim=6, **other), bars.train, bars.test, truth=bars.truth).run().arrays()
        for other in ({}, {"objective": "entropy"}, {"dictionary": "true"})
    )
    ends = [recorded["elbo"][-1].item() for recorded in (learned, entropy, true)]
    assert ends[0] == pytest.approx(ends[1], abs=1e-3)
    assert min(ends[:2]) > ends[2] + 0.1
    assert abs(entropy["gap"][-1]) < 1e-2


def test_a_true_dictionary_stays():
    trace = trained(coding(CLIMB | {"steps": 1}, latent_dim=4, dictionary="true"))
    weights = trace.at_end["weights"] / np.linalg.norm(trace.at_end["weights"], axis=2, keepdims=True)
    np.testing.assert_allclose(weights[1], BARS.truth["weights"].T / np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize("model", ["vae1", "vae3"])
def test_a_vae_climbs_on_the_noise_of_a_step(model):
    settings = {"encoder_width": 4, "encoder_depth": 1, "decoder_width": 4, "decoder_depth": 1}
    phase = CLIMB | {"steps": 2, "samples": 5, "iterations": 30}
    recorded = trained(replicas(model, phase, **settings)).arrays()
    assert (recorded["elbo"][-1] > recorded["elbo"][0] + 1).all()
    assert (abs(recorded["gap"][-1]) < abs(recorded["gap"][0])).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_alone_as_in_a_pack(objective):
    pack = coding(CLIMB | {"steps": 1, "iterations": 10}, objective=objective)
    packed, alone = (trained(part).arrays() for part in (pack, pack[1:]))
    np.testing.assert_allclose(packed["elbo"][:, 1], alone["elbo"][:, 0], rtol=1e-9)


@pytest.mark.parametrize("at", [2, 4, 6])
def test_resumes_to_the_same_trace(tmp_path, at):
    phases = [CLIMB | {"iterations": 5}, {"steps": 4, "batch_size": 7, "prior_weight": 2.0}]
    options = {"identity": "job", "checkpoint": tmp_path / "job.checkpoint", "truth": BARS.truth}
    settings = {"objective": "entropy", "averaging": 0.5}
    pack = Pack(coding(*phases, **settings), BARS.train, BARS.test, **options)
    with pytest.raises(Interrupted, match=f"step {at} of 8"):
        pack.run(lambda pack: pack.stop() if pack.step == at else None)
    resumed = Pack(coding(*phases, **settings), BARS.train, BARS.test, **options).run().arrays()
    for name, values in trained(coding(*phases, **settings)).arrays().items():
        np.testing.assert_array_equal(values, resumed[name], err_msg=name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 10}, "lbfgs compares values on the same points, here batch_size: 10; write batch_size: full"),
        ({"weight_decay": 0.1}, "lbfgs has no weight_decay"),
    ],
)
def test_settings_that_it_cannot_have_are_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        PhaseSettings(**(CLIMB | change))


def test_its_forecast_counts_iterations():
    assert PhaseSettings(**CLIMB).passes == 3 * 120
    assert PhaseSettings(steps=7).passes == 3 * 7
