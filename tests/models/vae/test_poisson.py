"""The Poisson VAE on counts of any size: its start at the means, its inputs, and that it trains."""

import numpy as np
import pytest
import torch

from entropy_sums.models import MODELS, build
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

SOURCE = np.random.default_rng(1)
RATES = np.array([[200.0, 30.0, 5.0], [600.0, 10.0, 5.0]])
OWNER = SOURCE.integers(0, 2, 300)


def trained(x, **evaluation):
    training = TrainingSettings(
        phases=[{"steps": 300, "batch_size": 50, "learning_rate": 1e-2}], evaluation={"every": 300, **evaluation}
    )
    return Pack([Replica(seed, MODELS["poisson_vae"](), training) for seed in (0, 1)], x, x).run()


@pytest.mark.parametrize("scale", [0.05, 1.0, 20.0])
def test_counts_of_any_size_train(scale):
    """It starts near one Poisson per dimension, and ends near the truth."""
    rates = scale * RATES
    x = SOURCE.poisson(rates[OWNER]).astype(float)
    trace = trained(x, certificate=scale == 1)
    elbo = trace.arrays()["elbo"]
    assert np.isnan(trace.diverged_at).all()

    def likelihood(rate):
        return torch.distributions.Poisson(torch.as_tensor(rate)).log_prob(torch.as_tensor(x)).sum(1).mean().item()

    single, truth = likelihood(x.mean(0)), likelihood(rates[OWNER]) - np.log(2)
    assert (elbo[0] > 1.05 * single - 1).all()
    assert (elbo[-1] > truth - 0.01 * (truth - single) - 2).all()


def test_rates_start_at_the_means():
    x = torch.tensor([[500.0, 0.0], [700.0, 0.0]])
    model = build([MODELS["poisson_vae"]()] * 2, 2, [torch.Generator().manual_seed(s) for s in (0, 1)])
    model.start(x, [])
    for replica in range(2):
        # A dimension without a count: half a count in all points
        torch.testing.assert_close(model.decoder.network[1].bias[replica, 0], torch.tensor([600.0, 0.25]).log())


def test_inputs_are_standardised_roots():
    x = torch.poisson(torch.full((4000, 2), 500.0), generator=torch.Generator().manual_seed(0))
    x[:, 1] = (x[:, 1] > 540).float()
    inputs = build([MODELS["poisson_vae"]()], 2, [torch.Generator()]).encoder.trunk[0]
    inputs.begin(x)
    y = inputs(x)
    torch.testing.assert_close(y.mean(0), torch.zeros(2), atol=1e-3, rtol=0)
    assert y[:, 0].std().item() == pytest.approx(1, abs=1e-3)
    # A rare count is no outlier
    assert y[:, 1].abs().max() < 2
