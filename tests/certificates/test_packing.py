"""Models that cannot be copied or packed get an error, never a verdict."""

import copy

import pytest
import torch
from torch import nn

from catalogue import accepted, dim_of, supported
from entropy_sums.bound import Bound
from entropy_sums.certificates import packing
from entropy_sums.certificates.certificate import certify
from entropy_sums.layers import Linear
from entropy_sums.models import MODELS, build
from entropy_sums.models.vae.gaussian import LinearVAE

pytestmark = pytest.mark.usefixtures("float64")

DIM = 4


def vae(kind=LinearVAE, replicas=2, monkeypatch=None, **settings):
    monkeypatch.setattr("entropy_sums.models.vae.gaussian.LinearVAE", kind)
    sources = [torch.Generator().manual_seed(seed) for seed in range(replicas)]
    return build([MODELS["linear_vae"](**settings)] * replicas, DIM, sources)


def points():
    return torch.randn(40, DIM, generator=torch.Generator().manual_seed(1))


class Shallow(LinearVAE):
    def __deepcopy__(self, memo):
        return copy.copy(self)


class Closure(LinearVAE):
    """A function that was made at the start keeps the model that it was made for."""

    def __init__(self, blueprint):
        super().__init__(blueprint)
        self.decode = lambda z: self.decoder(z)

    def observation(self, z):
        return self.decode(z)


class View(LinearVAE):
    """A tensor computed from parameters once, which cannot be copied."""

    def __init__(self, blueprint):
        super().__init__(blueprint)
        self.scale = self.decoder.spread * 1.0


class PerReplica(LinearVAE):
    """A value per replica that is neither parameter nor evolving."""

    def __init__(self, blueprint):
        super().__init__(blueprint)
        self.register_buffer("shift", torch.arange(float(len(blueprint.replicas)))[:, None, None])

    def observation(self, z):
        return super().observation(z + self.shift)


class Shared(LinearVAE):
    """A parameter without an axis for replicas."""

    def __init__(self, blueprint):
        super().__init__(blueprint)
        self.offset = nn.Parameter(torch.zeros(3))


class Coupled(LinearVAE):
    """Replicas that see each other."""

    def observation(self, z):
        return super().observation(z - z.mean(0, keepdim=True))


class Own(LinearVAE):
    """Noise of its own."""

    def bound(self, x, noise, posterior=None):
        return super().bound(x, torch.randn_like(noise), posterior)


class Scalars(LinearVAE):
    """Terms that are summed over replicas."""

    def bound(self, x, noise, posterior=None):
        bound = super().bound(x, noise, posterior)
        return Bound(bound.posterior_entropy.sum(), bound.factors)


BROKEN = {
    Shallow: "shares its parameters with its copies",
    Closure: "shares state with its copies|packed|in a pack",
    View: "cannot be copied",
    PerReplica: "in a pack than its replicas have alone|fails where its copies are packed|terms of shape",
    Shared: "`offset` of shape",
    Coupled: "has other values in a pack than its replicas have alone",
    Own: "has another bound each time",
    Scalars: "terms of shape",
}


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_model_that_cannot_be_copied_or_packed_gets_an_error(kind, replicas, monkeypatch):
    if (kind, replicas) == (PerReplica, 1):
        pytest.skip("the value of the only replica is zero")
    said = rf"{kind.__name__} cannot be certified, as it .*({BROKEN[kind]}).*; "
    with torch.random.fork_rng(), pytest.raises(ValueError, match=said):
        certify(vae(kind, replicas, monkeypatch), points(), trials=1)


@pytest.mark.parametrize("name", MODELS)
def test_models_of_the_catalogue_can_be(name):
    small = {"encoder_width": 6, "encoder_depth": 1, "decoder_width": 6, "decoder_depth": 1, "width": 2}
    source = torch.Generator().manual_seed(0)
    model = build([MODELS[name](**accepted(name, **small))] * 2, dim_of(name, DIM), [source] * 2)
    x = supported(name, torch.randn(20, dim_of(name, DIM), generator=source) + 0.5)
    before = copy.deepcopy(model.state_dict())
    packing.check(model, copy.deepcopy, x, source)
    assert all(tensor.equal(before[key]) for key, tensor in model.state_dict().items())


class FirstScale(LinearVAE):
    """Reads a packed setting of the first replica for all."""

    def __init__(self, blueprint):
        super().__init__(blueprint)
        with torch.no_grad():
            self.decoder.spread.fill_(blueprint.shared.initial_std)


class Global(LinearVAE):
    """Draws weights from elsewhere."""

    def __init__(self, blueprint):
        super().__init__(blueprint)
        self.extra = Linear(2, 2, [torch.default_generator] * len(blueprint.replicas))


@pytest.mark.parametrize("kind", [FirstScale, Global])
def test_a_replica_is_built_alike_alone_and_in_a_pack(kind, monkeypatch):
    settings = [MODELS["linear_vae"](initial_std=std) for std in (1.0, 0.3)]

    def generators():
        return [torch.Generator().manual_seed(seed) for seed in range(2)]

    packing.check_build(settings, DIM, generators)
    monkeypatch.setattr("entropy_sums.models.vae.gaussian.LinearVAE", kind)
    said = rf"{kind.__name__} cannot be certified, as it builds another `"
    with torch.random.fork_rng(), pytest.raises(ValueError, match=said):
        packing.check_build(settings, DIM, generators)


class Renamed(LinearVAE):
    def bound(self, x, noise, posterior=None):
        bound = super().bound(x, noise, posterior)
        prior, observation = bound.factors.values()
        return Bound(bound.posterior_entropy, {"prior": prior, "decoder": observation})


class Reordered(LinearVAE):
    factors = ("observation", "prior")


class NamedTotal(LinearVAE):
    factors = ("prior", "observation", "observation")


def test_factors_are_matched_by_name(monkeypatch):
    plain, other = (certify(vae(kind, 1, monkeypatch), points(), trials=2) for kind in (LinearVAE, Reordered))
    for factor in ("prior", "observation", "total"):
        assert plain.direction_of(factor) == other.direction_of(factor)


def test_other_names_are_an_error(monkeypatch):
    with pytest.raises(ValueError, match=r"Renamed: .*lacks observation and has besides decoder; give each factor one"):
        certify(vae(Renamed, 1, monkeypatch), points(), trials=1)
    with pytest.raises(ValueError, match="NamedTotal: `factors` names observation more than once"):
        certify(vae(NamedTotal, 1, monkeypatch), points(), trials=1)
