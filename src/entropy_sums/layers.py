"""Layers with a leading replica axis: one batched matrix product serves all runs of a pack."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from entropy_sums.draws import uniform

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "leaky_relu": functional.leaky_relu_,
    "elu": functional.elu_,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "tanh": torch.tanh_,
}
"""Nonlinearities of hidden layers; they may overwrite their input, as nothing else reads it."""


OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "sigmoid": torch.sigmoid,
    "leaky_relu": functional.leaky_relu,
}
"""Name of an output → the function on the last layer; the slope of `leaky_relu` below zero is 0.01, torch's default."""


def per_replica(values: Sequence[float]) -> Tensor:
    """Tensor of one number per replica, `(replica, 1, 1)`, to broadcast over points and coordinates.

    Example:
        >>> per_replica([0.1, 0.2]).shape
        torch.Size([2, 1, 1])
    """
    return torch.tensor(values, dtype=torch.get_default_dtype()).reshape(-1, 1, 1)


def constant(values: Sequence[float]) -> nn.Parameter:
    """Parameter of one number per replica that is not learned, `(replica, 1, 1)`.

    It is a parameter so that code which copies the parameters of a replica copies it too.

    Example:
        >>> constant([0.5, 2.0]).requires_grad
        False
    """
    return nn.Parameter(per_replica(values), requires_grad=False)


class Linear(nn.Module):
    r"""$y = xW_r + b_r$ for every replica $r$.

    Initial weights and biases are uniform in $\pm s_r/\sqrt{D_\text{in}}$, as in `torch.nn.Linear` for
    $s_r = 1$; replica r draws from `generators[r]` alone.

    Shapes: `(N, in)` or `(replica, N, in)` → `(replica, N, out)`.

    Example:
        >>> layer = Linear(3, 2, [torch.Generator().manual_seed(seed) for seed in range(4)])
        >>> layer(torch.zeros(5, 3)).shape
        torch.Size([4, 5, 2])
    """

    def __init__(
        self, inputs: int, outputs: int, generators: Sequence[torch.Generator], scale: Tensor | float = 1.0
    ) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        draws = [torch.rand(inputs + 1, outputs, generator=generator) for generator in generators]
        initial = (2 * torch.stack(draws) - 1) * bound * scale
        self.weight = nn.Parameter(initial[:, :-1].contiguous())
        self.bias = nn.Parameter(initial[:, -1:].contiguous())

    @property
    def used_weight(self) -> Float[Tensor, "replica inputs outputs"]:
        """Weights that multiply the inputs."""
        return self.weight

    def forward(self, x: Float[Tensor, "*replica points inputs"]) -> Float[Tensor, "all points outputs"]:
        return _affine(x, self.used_weight, self.bias)


def side_by_side(x: Tensor, *layers: Linear) -> tuple[Tensor, ...]:
    """Outputs of linear layers with the same input, from one matrix product instead of several narrow ones."""
    weight = torch.cat([layer.weight for layer in layers], dim=2)
    bias = torch.cat([layer.bias for layer in layers], dim=2)
    return _affine(x, weight, bias).split([layer.weight.shape[2] for layer in layers], dim=2)


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.baddbmm(bias, x.expand(weight.shape[0], *x.shape[-2:]), weight)


class UnitNormLinear(Linear):
    r"""A linear layer whose weights from each input have norm one: $\sum_o W_{io}^2 = 1$.

    With `renormalise=False` the layer stores free weights and divides by their norm whenever it is used;
    with `renormalise=True` it uses the stored weights, and `constrain()`,
    called after every update, renormalises them in place.

    Example:
        >>> layer = UnitNormLinear(3, 2, [torch.Generator()])
        >>> layer.used_weight.norm(dim=2).allclose(torch.ones(1, 3))
        True
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        generators: Sequence[torch.Generator],
        scale: Tensor | float = 1.0,
        renormalise: bool = False,
    ) -> None:
        super().__init__(inputs, outputs, generators, scale)
        self.renormalise = renormalise
        with torch.no_grad():
            self.weight /= self.weight.norm(dim=2, keepdim=True)

    @property
    def used_weight(self) -> Tensor:
        return self.weight if self.renormalise else functional.normalize(self.weight, dim=2)

    def constrain(self) -> None:
        """Project the stored weights back to unit norm, in place, so that the optimiser keeps its parameter."""
        if self.renormalise:
            with torch.no_grad():
                self.weight /= self.weight.norm(dim=2, keepdim=True)


class Dropout(nn.Module):
    r"""Dropout: a hidden unit is set to zero with probability $r$ and else multiplied by $1/(1 - r)$.

    It is the identity outside of `drawing`. Each replica has its own rate. Source: Srivastava et al. (JMLR 2014).

    Example:
        >>> dropout, x = Dropout([0.5]), torch.ones(1, 2, 3)
        >>> dropout(x) is x
        True
        >>> with drawing([dropout], [torch.Generator().manual_seed(0)]):
        ...     dropout(x)
        tensor([[[0., 2., 0.],
                 [0., 0., 2.]]])
    """

    rate: Tensor
    generators: Sequence[torch.Generator] = ()

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("rate", per_replica(rates))

    def forward(self, x: Tensor) -> Tensor:
        if not self.generators:
            return x
        draws = torch.empty_like(x)
        for draw, generator in zip(draws, self.generators, strict=True):
            uniform(draw, generator)
        return x * torch.where(draws < self.rate, 0, 1 / (1 - self.rate))


@contextmanager
def drawing(dropouts: Sequence[Dropout], generators: Sequence[torch.Generator]) -> Iterator[None]:
    """Context in which `dropouts` drop units, with random numbers from each replica's own generator."""
    for dropout in dropouts:
        dropout.generators = generators
    try:
        yield
    finally:
        for dropout in dropouts:
            dropout.generators = ()


class Trunk(nn.Module):
    """Hidden layers of a network, each followed by the activation and dropout; without layers, the identity.

    Shapes: `(N, in)` or `(replica, N, in)` → `(replica, N, out)`.

    Example:
        >>> trunk = Trunk([Linear(3, 8, [torch.Generator()] * 4)], "relu")
        >>> trunk(torch.zeros(5, 3)).shape
        torch.Size([4, 5, 8])
    """

    def __init__(self, layers: Sequence[Linear], activation: str, dropout: Sequence[float] = (0.0,)) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation, self.dropout = ACTIVATIONS[activation], Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.dropout(self.activation(layer(x)))
        return x


def log_std(head: Tensor, kind: str) -> Tensor:
    r"""Read the unconstrained output of a variance head as $\log\sigma$.

    `log_variance`: $\log\sigma = h/2$. `softplus`: $\sigma = \log(1 + e^h)$, the set-up of Damm et al. (2023);
    where $e^h$ underflows, $\log\log(1 + e^h) = h$. `leaky_relu`: $\log\sigma = h$ above zero and $h/5$ below.

    Example:
        >>> log_std(torch.tensor([2.0]), "log_variance")
        tensor([1.])
        >>> log_std(torch.tensor([0.0, -200.0]), "softplus")
        tensor([  -0.3665, -200.0000])
        >>> log_std(torch.tensor([2.0, -5.0]), "leaky_relu")
        tensor([ 2., -1.])
    """
    to_log_std, _ = VARIANCE_HEADS[kind]
    return to_log_std(head)


def head_of_std(std: Sequence[float], kind: str) -> Tensor:
    """Value `(replica, 1, 1)` of a variance head at which the standard deviation is `std`.

    Example:
        >>> log_std(head_of_std([0.5, 100.0], "softplus"), "softplus").exp().flatten()
        tensor([  0.5000, 100.0000])
    """
    _, to_head = VARIANCE_HEADS[kind]
    return to_head(per_replica(std))


def _log_softplus(head: Tensor) -> Tensor:
    return torch.where(head < -15, head, functional.softplus(head.clamp(min=-15)).log())


LEAK = 0.2
"""Slope below zero, as in Radford et al. (ICLR 2016): with 0.01 a σ of 0.1 would be 230 learning rates away."""

VARIANCE_HEADS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "log_variance": (lambda head: 0.5 * head, lambda std: 2 * std.log()),
    "softplus": (_log_softplus, lambda std: std + (-(-std).expm1()).log()),
    "leaky_relu": (
        lambda head: functional.leaky_relu(head, LEAK),
        lambda std: functional.leaky_relu(std.log(), 1 / LEAK),
    ),
}
"""Name of a variance head → log σ of its output, and the output at a given σ."""
