"""Optimisers with a gradient against torch's own, one replica at a time."""

import pytest
import torch
from torch import nn

from catalogue import dim_of
from entropy_sums.models import MODELS, build
from entropy_sums.training.optimizers.catalogue import OPTIMIZERS
from entropy_sums.training.settings import PhaseSettings

TORCH = {
    "adam": lambda p, rate, decay, second: torch.optim.Adam(p, lr=rate, betas=(0.9, second), weight_decay=decay),
    "adamw": lambda p, rate, decay, second: torch.optim.AdamW(p, lr=rate, betas=(0.9, second), weight_decay=decay),
    "sgd": lambda p, rate, decay, second: torch.optim.SGD(p, lr=rate, weight_decay=decay),
}


def made(kind, parameters, rates, decays, second=0.999):
    """An optimiser of parameters that stand for those of a model."""
    phases = [
        PhaseSettings(optimizer=kind, learning_rate=rate, weight_decay=decay, second_moment_decay=second)
        for rate, decay in zip(rates, decays, strict=True)
    ]
    return OPTIMIZERS[kind](nn.ParameterList(parameters), phases)


@pytest.mark.parametrize("rates", [[1e-2] * 4, [1e-2, 1e-2, 3e-3, 1e-1], [1e-1, 1e-2, 1e-1, 1e-2]])
@pytest.mark.parametrize("decays", [[0.0] * 4, [0.0, 0.3, 0.3, 0.1]])
@pytest.mark.parametrize("second", [0.99, 0.999])
@pytest.mark.parametrize("kind", TORCH)
def test_each_replica_as_torch(kind, rates, decays, second):
    source = torch.Generator().manual_seed(0)
    start = [torch.randn(4, 3, 2, generator=source), torch.randn(4, 1, 2, generator=source)]
    target = torch.randn(4, 3, 2, generator=source)
    factors = [1.0, 0.7, 0.1]

    def loss(weight, bias, goal):
        return (weight * goal).sin().sum() + (bias**4).sum()

    packed = [nn.Parameter(t.clone()) for t in start]
    optimizer = made(kind, packed, rates, decays, second)
    for factor in factors:
        loss(*packed, target).backward()
        optimizer.descend(factor)
        assert all(p.grad is None for p in packed)
    for r, (rate, decay) in enumerate(zip(rates, decays, strict=True)):
        alone = [nn.Parameter(t[r].clone()) for t in start]
        expected = TORCH[kind](alone, rate, decay, second)
        for factor in factors:
            expected.param_groups[0]["lr"] = rate * factor
            expected.zero_grad()
            loss(*alone, target[r]).backward()
            expected.step()
        for a, p in zip(alone, packed, strict=True):
            torch.testing.assert_close(a, p[r])


@pytest.mark.parametrize("kind", TORCH)
def test_variances_have_a_rate_of_their_own(kind):
    """As parameter groups of torch: α and σ of VAE-2 learn faster, all else and other replicas do not notice."""
    factors = [1.0, 10.0, 3.0]
    packs = {}
    for name, rates in {"apart": factors, "alike": [1.0] * 3}.items():
        model = build([MODELS["vae2"]()] * 3, 5, [torch.Generator().manual_seed(seed) for seed in range(3)])
        phases = [PhaseSettings(optimizer=kind, learning_rate=1e-3, variance_rate=rate) for rate in rates]
        before = {key: p.detach().clone() for key, p in model.named_parameters()}
        x = torch.randn(20, 5, generator=torch.Generator().manual_seed(9))
        noise = torch.randn(3, 20, model.noise_dim, generator=torch.Generator().manual_seed(8))
        OPTIMIZERS[kind](model, phases).step(x, noise, 0)
        packs[name] = {key: p.detach() - before[key] for key, p in model.named_parameters()}
    assert model.variances == {"decoder.spread", "latent_prior.log_std"}
    for key, alike in packs["alike"].items():
        factor = torch.tensor(factors if key in model.variances else [1.0] * 3).view(-1, *[1] * (alike.dim() - 1))
        torch.testing.assert_close(packs["apart"][key], factor * alike, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    "settings", [*(kind() for kind in MODELS.values()), MODELS["gaussian_mixture"](covariance="full")]
)
def test_every_free_variance_is_declared(settings):
    """Tensors that are called as variances are, are variances for `variance_rate`."""
    model = build([settings], dim_of(settings.name, 16), [torch.Generator().manual_seed(0)])
    ends = ("log_std", "log_scale", "log_variance", "log_diagonal", "spread", "noise_bias")
    assert model.variances == {name for name, _ in model.named_parameters() if name.endswith(ends)}


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_decay_is_a_penalty_of_the_loss(kind):
    """The same as a loss with (λ/2)‖θ‖² of its own."""
    source = torch.Generator().manual_seed(1)
    start = torch.randn(2, 3, generator=source)
    decayed, penalised = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizers = [
        made(kind, [decayed], [1e-2] * 2, [0.5] * 2),
        made(kind, [penalised], [1e-2] * 2, [0.0] * 2),
    ]
    for _ in range(5):
        decayed.sin().sum().backward()
        (penalised.sin().sum() + 0.25 * penalised.square().sum()).backward()
        for optimizer in optimizers:
            optimizer.descend(1.0)
    torch.testing.assert_close(decayed, penalised)
    assert not torch.equal(decayed, start)


def test_state_is_live():
    parameter = nn.Parameter(torch.zeros(2, 3))
    optimizer = made("adam", [parameter], [1e-2, 1e-3], [0.0, 0.0])
    parameter.grad = torch.ones(2, 3)
    optimizer.descend(1.0)
    (first,), (second,) = optimizer.moments["first"], optimizer.moments["second"]
    assert first.eq(0.1).all()
    torch.testing.assert_close(second, torch.full((2, 3), 1e-3))


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_what_has_no_gradient_stays_where_it_is(kind):
    moved, still = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(2, 1))
    optimizer = made(kind, [moved, still], [0.1, 0.1], [0.0, 0.0])
    (moved.square().sum()).backward()
    optimizer.descend(1.0)
    assert (moved < 1).all()
    torch.testing.assert_close(still.detach(), torch.ones(2, 1))
