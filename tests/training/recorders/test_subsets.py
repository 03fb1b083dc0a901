"""The bound from few held-out points, against what is known of it."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from entropy_sums import draws
from entropy_sums.certificates.certificate import randomised
from entropy_sums.models import MODELS, build
from entropy_sums.training import evaluation as module
from entropy_sums.training.evaluation import Evaluation
from entropy_sums.training.pack import Pack
from entropy_sums.training.randomness import Purpose, generator
from entropy_sums.training.recorders.subsets import Subsets
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import EvaluationSettings, TrainingSettings
from recorded import at_end

DIM, POINTS = 4, 30
DATA = torch.randn(POINTS, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def made(name, replicas=2, **settings):
    source = torch.Generator().manual_seed(0)
    return randomised(build([MODELS[name](**settings)] * replicas, DIM, [source] * replicas), source, width=0.5)


def heldout(seeds=(0, 1), samples=2):
    return Evaluation(DATA, seeds, samples, Purpose.HELDOUT)


def subsets(model, *sizes, number=10):
    return at_end([Subsets], model, {"heldout_": heldout()}, subset_sizes=sizes, subset_estimates=number)


def test_all_points_give_what_the_whole_set_gives(float64):
    """Factor analysis needs no samples."""
    model = made("factor_analysis")
    found, whole = subsets(model, POINTS, number=3), heldout()(model, 0)
    for name in ("elbo", "entropy_sum", "posterior_entropy"):
        assert found[f"subset_{name}"].shape == (2, 1, 3)
        np.testing.assert_allclose(found[f"subset_{name}"][:, 0], np.stack([whole[name]] * 3, 1), rtol=1e-10)
    for name in ("cross_entropy", "entropy"):
        assert found[f"subset_{name}"].shape == (2, 1, 3, 2)
        np.testing.assert_allclose(found[f"subset_{name}"][:, 0, 2], whole[name], rtol=1e-10)


def test_one_estimate_by_hand(float64, monkeypatch):
    """Points and noise from the generators that the docstring promises, in parts or not."""
    model = made("vae3")
    monkeypatch.setattr(module, "ENTRIES_PER_CHUNK", 4 * 2 * DIM)
    found = subsets(model, 3, 11, number=5)
    chosen = [torch.randperm(POINTS, generator=generator(s, Purpose.SUBSETS, 11, 4))[:11] for s in (0, 1)]
    x = torch.stack([DATA[c] for c in chosen])

    def noise(sample):
        sources = [generator(s, Purpose.SUBSETS, 11, 4, sample) for s in (0, 1)]
        return torch.stack([draws.normal(torch.empty(11, 2), source) for source in sources])

    bounds = [model.bound(x, noise(sample)) for sample in (0, 1)]
    for name in ("elbo", "entropy_sum"):
        expected = sum(getattr(bound, name) for bound in bounds).detach() / 2
        np.testing.assert_allclose(found[f"subset_{name}"][:, 1, 4], expected, rtol=1e-10)


def test_estimates_spread_as_samples_without_replacement_do(float64):
    """The elbo of factor analysis is a mean of log-likelihoods, one per point."""
    model, size = made("factor_analysis"), 10
    found = subsets(model, size, number=2000)["subset_elbo"][:, 0]
    points = torch.stack([model.log_likelihood(DATA[n : n + 1]) for n in range(POINTS)], 1).detach().numpy()
    expected = points.std(1, ddof=1) * math.sqrt((1 - size / POINTS) / size)
    np.testing.assert_allclose(found.std(1, ddof=1), expected, rtol=0.08)
    np.testing.assert_allclose(found.mean(1), points.mean(1), atol=5 * expected.max() / math.sqrt(2000))


def test_further_sizes_and_estimates_leave_the_others():
    training = {"phases": [{"steps": 3, "batch_size": 10}], "precision": "float64"}
    plain = {"every": 3, "samples": 2, "certificate": False}

    def ends(seeds, **evaluation):
        chosen = TrainingSettings(**training, evaluation={**plain, **evaluation})
        replicas = [Replica(seed, MODELS["vae1"](), chosen) for seed in seeds]
        return Pack(replicas, DATA.numpy(), DATA.numpy()).run().at_end

    few = ends([1], subset_sizes=[5], subset_estimates=2)
    many = ends([0, 1], subset_sizes=[2, 5, 20], subset_estimates=4)
    assert not {name for name in ends([1]) if name.startswith("subset_")}
    for name in few.keys() - {"latent_square", "latent_variance", "latent_spread"}:
        np.testing.assert_allclose(many[name][1:, 1:2, :2], few[name], rtol=1e-9, err_msg=name)
    spreads = many["subset_elbo"].std(2)
    assert (spreads[:, 2] < spreads[:, 0]).all()


def test_sizes_increase():
    with pytest.raises(ValidationError, match=r"\[100, 10, 100\] do not increase; write \[10, 100\]"):
        EvaluationSettings(subset_sizes=(100, 10, 100))
