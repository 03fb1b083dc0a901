"""The convolutional VAE: its layers against convolutions of torch, images in and out, the cost of a pass."""

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from torch import nn
from torch.nn.utils import skip_init

from entropy_sums.cli import main
from entropy_sums.models import MODELS, build
from entropy_sums.models.vae.settings import KERNEL

pytestmark = pytest.mark.usefixtures("float64")

REPLICAS, POINTS, SIDE = 3, 5, 8


def made(channels=3, depth=2, side=SIDE, replicas=REPLICAS, **settings):
    chosen = MODELS["conv_vae"](channels=channels, depth=depth, width=4, **settings)
    generators = [torch.Generator().manual_seed(r) for r in range(replicas)]
    return build([chosen] * replicas, side**2 * channels, generators)


def images(*shape, channels=3):
    return torch.rand(*shape, SIDE, SIDE, channels, generator=torch.Generator().manual_seed(1))


def loaded(layer, ours, replica):
    """A layer of torch with the weights of one replica."""
    with torch.no_grad():
        layer.weight.copy_(ours.weight[replica])
        layer.bias.copy_(ours.bias[replica, 0])
    return layer


@pytest.mark.parametrize("shape", [(POINTS,), (REPLICAS, POINTS)])
def test_encoder_is_a_stack_of_convolutions_for_each_replica(shape):
    model, x = made(), images(*shape)
    features = model.encoder.trunk(x.flatten(-3))
    for r in range(REPLICAS):
        first, second = (
            loaded(skip_init(nn.Conv2d, a, b, KERNEL, stride=2, padding=1), layer, r)
            for a, b, layer in zip((3, 4), (4, 8), model.encoder.trunk.layers, strict=True)
        )
        # Colours come last in the data and first in torch
        own = x.expand(REPLICAS, POINTS, SIDE, SIDE, 3)[r].permute(0, 3, 1, 2)
        torch.testing.assert_close(features[r], second(first(own).relu()).relu().flatten(1))


def test_decoder_is_a_stack_of_transposed_convolutions_for_each_replica():
    model = made()
    z = torch.randn(REPLICAS, POINTS, 2, generator=torch.Generator().manual_seed(2))
    mean = model.observation(z).mean.unflatten(2, (SIDE, SIDE, 3))
    first, output = model.decoder.mean
    for r in range(REPLICAS):
        second, third = (
            loaded(skip_init(nn.ConvTranspose2d, a, b, KERNEL, stride=2, padding=1), layer, r)
            for a, b, layer in zip((8, 4), (4, 3), [*output.hidden, output.last], strict=True)
        )
        maps = (z[r] @ first.layers[0].weight[r] + first.layers[0].bias[r]).relu().view(POINTS, 8, 2, 2)
        torch.testing.assert_close(mean[r], third(second(maps).relu()).permute(0, 2, 3, 1))


@pytest.mark.parametrize("part", ["encoder.trunk.layers.1", "decoder.mean.1.hidden.0", "decoder.mean.1.last"])
def test_initial_weights_are_uniform_over_what_a_number_depends_on(part):
    """Bounds of 1/√(numbers that go in); with a factor of 2 they are twice as wide."""
    inputs = {"encoder.trunk.layers.1": 4 * 16, "decoder.mean.1.hidden.0": 8 * 4, "decoder.mean.1.last": 4 * 4}[part]
    for scale in (1.0, 2.0):
        weight = made(initial_scale=scale).get_submodule(part).weight.detach().abs()
        assert 0.9 < weight.max() * inputs**0.5 / scale < 1
        assert 0.4 < weight.mean() * inputs**0.5 / scale < 0.6


@pytest.mark.parametrize(
    ("dim", "settings"), [(10, {}), (36, {}), (64, {"channels": 3}), (192, {}), (4, {"depth": 2}), (2, {"channels": 3})]
)
def test_data_that_are_no_such_images_are_refused(dim, settings):
    with pytest.raises(ValueError, match=f"axes.model: {dim} dimensions are no square images of channels: "):
        build([MODELS["conv_vae"](**{"depth": 3, **settings})], dim, [torch.Generator()])


def test_forecast_counts_the_multiplications_of_a_pass():
    """Against hooks that count what each layer multiplies."""
    model, counted = made(replicas=1, latent_dim=5), []

    def count(layer, inputs, output):
        larger = max(inputs[0].shape[-1], output.shape[-1])
        counted.append(layer.weight[0].numel() * (larger // 2) ** 2)

    for layer in model.modules():
        if hasattr(layer, "weight") and layer.weight.ndim == 5:
            layer.register_forward_hook(count)
    model.bound(images(1).flatten(1), torch.zeros(1, 1, 5))
    heads = 3 * 5 * 8 * 2 * 2
    assert MODELS["conv_vae"](channels=3, width=4, latent_dim=5).multiplications(SIDE**2 * 3) == sum(counted) + heads


def test_forecast_counts_the_parameters():
    """Biases, which have one row, are left out."""
    model = made(replicas=1, latent_dim=5, depth=3)
    counted = sum(parameter.numel() for parameter in model.parameters() if parameter.ndim > 3 or len(parameter[0]) > 1)
    assert MODELS["conv_vae"](channels=3, width=4, latent_dim=5, depth=3).parameters(SIDE**2 * 3) == counted


def test_deep_networks_for_celeba_can_be_built():
    model = made(depth=5, side=64, replicas=1, activation="leaky_relu", output="sigmoid")
    assert model.observation(torch.zeros(1, 2, 2)).mean.shape == (1, 2, 64 * 64 * 3)


def test_trained_by_the_command_on_digits_it_improves(tmp_path):
    axes = {"model": ["conv_vae"], "dataset": ["digits"], "seed": {"count": 2}}
    settings = {"train": 200, "test": 50, "width": 4, "initial_std": 0.3}
    phases = [{"steps": 100, "learning_rate": 1e-2, "batch_size": 50}]
    training = {"phases": phases, "evaluation": {"every": 100, "samples": 2}}
    study = {"study": "a", "axes": axes, "settings": settings, "training": training, "results": str(tmp_path)}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    assert main(["train", str(tmp_path / "study.yaml"), "conv_vae/digits/seed=0-1"]) == 0
    trace = xr.load_dataset(tmp_path / "a/runs/conv_vae/digits/seed=0-1.nc")
    for elbo in (trace["elbo"], trace["heldout_elbo"]):
        assert (elbo.isel(step=-1) > elbo.isel(step=0) + 10).all()
    gap, along = trace["gap"], trace["directional_derivative"].sum("factor")
    np.testing.assert_allclose(along, gap, atol=1e-3)
