"""Checks that a model can be copied and packed: certificates evaluate many copies of a replica side by side."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from entropy_sums.certificates.system import gradients_of
from entropy_sums.models import build
from entropy_sums.models.abilities import Annealed
from entropy_sums.models.base import ModelSettings
from entropy_sums.models.model import Model, chosen, copies, factors_of

POINTS = 6
"""Number of points of a check."""

PRECISION = 1e-7
"""Largest difference between copies, relative to the values; searches for a posterior end within less."""

REPLICAS = 3
"""Number of copies that a model of one replica is packed as."""

AXES = "every parameter, and every buffer that `evolving` names, has the replica as its first axis"
CONSTANTS = "a value that differs between replicas is a parameter without gradient (`layers.constant`)"
OWN = "what a model computes with belongs to its modules: no closure over the model, no shared tensor, no cache"
NOISE = "draw only from the noise that `bound` is given"


def check(model: Model, randomised: Callable[[Model], Model], data: Tensor, generator: torch.Generator) -> None:
    """Check that copies of a model are independent of it, and that replicas are independent of each other.

    Args:
        model: stays unchanged.
        randomised: function that makes a copy in float64 with other parameters.
        data: `(N, D)` in float64.

    Raises:
        ValueError: they are not; the message names the model, what differs, and what to change.
    """
    _axes(model)
    with _said(model, "cannot be copied", OWN):
        copied = copy.deepcopy(model)
    own = {tensor.data_ptr() for tensor in model.parameters() if tensor.numel()}
    if copied is model or any(tensor.data_ptr() in own for tensor in copied.parameters()):
        raise _error(model, "shares its parameters with its copies", OWN)
    with _said(model, "fails where its copies are packed", f"{AXES}, {CONSTANTS}"):
        pack = randomised(model if model.replicas > 1 else copies(model, REPLICAS))
        x = data[torch.randint(len(data), (POINTS,), generator=generator).to(data.device)]
        size = pack.replicas, POINTS, pack.noise_dim
        noise = torch.randn(size, generator=generator, dtype=torch.float64).to(data.device)
        together = _values(pack, x, noise)
        if not _alike(together, _values(pack, x, noise)):
            raise _error(model, "has another bound each time for the same points and noise", NOISE)
        if not _alike(together, _values(pack, x.expand(pack.replicas, -1, -1), noise)):
            raise _error(
                model, "has another bound where each replica has its own points", "`bound` takes (replica, N, D), too"
            )
        # Chains of an annealed partition function branch where rounding decides a draw, and packs round otherwise
        branching = isinstance(pack, Annealed) and bool(pack.partition_errors(noise))
        for rows in [] if branching else ([0], [pack.replicas - 1], [pack.replicas - 1, 0, pack.replicas - 1]):
            if not _alike(together[rows], _values(chosen(pack, torch.tensor(rows)), x, noise[rows])):
                raise _error(model, "has other values in a pack than its replicas have alone", f"{AXES}, {CONSTANTS}")
        with _moved(model):
            if not _alike(together, _values(copy.deepcopy(pack), x, noise)):
                raise _error(model, "shares state with its copies: they change when it does", OWN)


def check_build(
    settings: Sequence[ModelSettings], observed_dim: int, generators: Callable[[], Sequence[torch.Generator]]
) -> None:
    """Check that the last replica of a pack is built as it is alone, with the same parameters and the same bound.

    Args:
        settings: settings of the replicas of a pack.
        generators: function that makes the generators of their initial weights.

    Raises:
        ValueError: it is not.
    """
    pack, single = build(settings, observed_dim, generators()), build(settings[-1:], observed_dim, generators()[-1:])
    _axes(pack)
    fix = (
        "take packed settings from `blueprint.packed`, one per replica, and random weights from `blueprint.generators`"
    )
    alone = dict(single.named_parameters())
    for name, parameter in pack.named_parameters():
        if name not in alone or not parameter[-1:].equal(alone[name]):
            raise _error(pack, f"builds another `{name}` for a replica in a pack than for it alone", fix)


def _error(model: Model, what: str, fix: str) -> ValueError:
    return ValueError(f"{type(model).__name__} cannot be certified, as it {what}; {fix}")


@contextmanager
def _said(model: Model, what: str, fix: str) -> Iterator[None]:
    """Context in which errors of shapes and of copying are said as what they mean."""
    try:
        yield
    except (RuntimeError, TypeError, IndexError, AttributeError) as error:
        raise _error(model, f"{what} ({error})", fix) from error


def _axes(model: Model) -> None:
    tensors = dict(model.named_parameters()) | {name: model.get_buffer(name) for name in model.evolving}
    lengths = {name: len(tensor) if tensor.ndim else 0 for name, tensor in tensors.items()}
    (replicas, _), *_ = Counter(lengths.values()).most_common()
    for name, length in lengths.items():
        if length != replicas:
            shape = tuple(tensors[name].shape)
            raise _error(model, f"has {replicas} replicas and `{name}` of shape {shape}", AXES)


def _values(model: Model, x: Tensor, noise: Tensor) -> Tensor:
    """Terms of the bound of every replica, and the norm of the gradient of its ELBO, `(replica, value)`."""
    bound = model.bound(x, noise)
    factors = factors_of(model, bound)
    values = [bound.posterior_entropy, *(value for f in factors for value in (f.cross_entropy, f.entropy))]
    if any(value.shape != (model.replicas,) for value in values):
        shapes = ", ".join(str(tuple(value.shape)) for value in values)
        raise _error(model, f"has terms of shape {shapes} with {model.replicas} replicas", "every term is (replica,)")
    gradients = gradients_of(model, bound).values()
    norms = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()
    return torch.stack([*(value.detach().to(norms) for value in values), norms], dim=1)


def _alike(one: Tensor, other: Tensor) -> bool:
    # Terms of a replica cancel in each other, so the largest is the scale
    scale = one.abs().amax(1, keepdim=True)
    return one.shape == other.shape and bool(((one - other).abs() <= PRECISION * (1 + scale)).all())


@contextmanager
def _moved(model: Model) -> Iterator[None]:
    """Context in which the parameters of a model have other values."""
    kept = {name: tensor.detach().clone() for name, tensor in model.learned().items()}
    try:
        with torch.no_grad():
            for tensor in model.learned().values():
                tensor.mul_(1.25).add_(0.125)
        yield
    finally:
        with torch.no_grad():
            for name, tensor in model.learned().items():
                tensor.copy_(kept[name])
