r"""Deep Boltzmann machines: binary data, layers of binary hidden units, a mean-field posterior at its fixed point.

$$-E(v, h) = b_0^\top v + \sum_{l=1}^L b_l^\top (h_l - \lambda_l)
  + \sum_{l=0}^{L-1} (h_l - \lambda_l)^\top W_l\, (h_{l+1} - \lambda_{l+1}), \qquad h_0 = v$$

up to a constant. Units of even layers, including the data, are connected only to units of odd layers. The machine
therefore has two sides (Salakhutdinov and Hinton, AISTATS 2009); only $v$ is observed on the visible side. Chains,
annealing, exact sums over the states of a side, and the offsets λ are those of machine.py. A centred machine
trains without layer-wise pretraining (Montavon and Müller, Neural Networks: Tricks of the Trade, 2012), but a
small one may then leave its higher layers unused: their weights go to zero.

The ELBO is $F = \frac1N \sum_n \bigl(\mathcal H[q_n] + \mathbb E_{q_n}[-E]\bigr) - \log Z$. The only factor is the
joint distribution: its entropy is $\log Z - \mathbb E_p[-E]$, and the gap $\frac1N \sum_n \mathbb E_{q_n}[-E] -
\mathbb E_p[-E] = \theta \cdot \nabla F$ needs no log Z for any q. We know of no published result on it;
docs/theory.md derives it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from entropy_sums import estimators
from entropy_sums.distributions import Bernoulli
from entropy_sums.distributions.family import repeated
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.binary.machine import ENTRIES_AT_ONCE, Machine
from entropy_sums.models.binary.units import BernoulliVisible
from entropy_sums.models.blueprint import Blueprint

ENUMERABLE_BETWEEN = 8
"""Largest number of hidden units of even layers for an exact likelihood: a sum over 256 states for every point."""


class Couplings(nn.Module):
    """Odd layers: their biases, and their weights to all even layers as one matrix, zero between unconnected layers.

    Attributes:
        weights: weights between each layer and the next one, `(replica, units, units of the next)`.
        bias: biases of all odd layers, `(replica, 1, odd units)`.

    Args:
        sizes: number of units of every layer, from the data up.
    """

    def __init__(self, blueprint: Blueprint, sizes: list[int]) -> None:
        super().__init__()
        layers = [blueprint.linear(a, b) for a, b in pairwise(sizes)]
        self.sizes = sizes
        self.weights = nn.ParameterList(layer.weight for layer in layers)
        self.bias = nn.Parameter(torch.cat([layer.bias for layer in layers[::2]], dim=-1).detach())

    @property
    def weight(self) -> Tensor:
        """Weights between even and odd units, `(replica, even units, odd units)`."""
        evens, odds = range(0, len(self.sizes), 2), range(1, len(self.sizes), 2)
        return torch.cat([torch.cat([self._block(even, odd) for odd in odds], dim=2) for even in evens], dim=1)

    def _block(self, even: int, odd: int) -> Tensor:
        if odd == even + 1:
            return self.weights[even]
        if odd == even - 1:
            return self.weights[odd].mT
        return self.bias.new_zeros(len(self.bias), self.sizes[even], self.sizes[odd])


class DBM(Machine):
    r"""A deep Boltzmann machine: `visible` is the side of even layers, the data first, `hidden` that of odd layers.

    The posterior is a product of Bernoullis over all hidden units, layer by layer from the data up. Given the means of
    one side, the best posterior of the other has a closed form, so that updating them in turn is coordinate ascent: no
    update lowers F. The updates end when no mean of even layers moves by more than `tolerance`, or after
    `mean_field_steps`. F is a bound on the log-likelihood at any q, so an early end only loosens the bound:
    the gap stays $\theta \cdot \nabla F$ at that q. At the fixed point the derivative with respect to q is zero; the
    gradient treats q as constant.

    Contrastive divergence begins its chains at the mean-field posterior. The value of `objective` lacks the entropy of
    even layers, which has no gradient.

    Pretraining proceeds from the lowest layer up: each layer and the next one are a machine that learns by CD-1 from
    the means of the lower layer. A layer with two neighbours counts the present one twice, to replace the other one.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> machine = build([MODELS["dbm"](latent_dim=3, depth=2)], 5, [torch.Generator().manual_seed(0)])
        >>> x = torch.ones(2, 5)
        >>> machine.posterior(x).mean.shape
        torch.Size([1, 2, 6])
        >>> machine.bound(x, torch.zeros(1, 2, 2)).elbo < machine.log_likelihood(x)
        tensor([True])
    """

    exact_posterior = False
    evolving = (*Machine.evolving, "age")
    hidden: Couplings
    age: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        settings = blueprint.shared
        sizes = [blueprint.observed_dim] + [settings.latent_dim] * settings.depth
        between = replace(blueprint, observed_dim=sum(sizes[::2]))
        latents = settings.depth * settings.latent_dim
        super().__init__(between, BernoulliVisible(between), Couplings(blueprint, sizes), latents)
        self.observed_dim, self.units = blueprint.observed_dim, settings.latent_dim
        self.tolerance, self.mean_field_steps = settings.tolerance, settings.mean_field_steps
        self.depth, self.pretraining_steps = settings.depth, settings.pretraining_steps
        self.register_buffer("age", torch.zeros(self.replicas, 1, dtype=torch.int64))

    def posterior(self, x: Tensor) -> Bernoulli:
        """The mean-field posterior of all hidden units, batch shape `(replica, N)`, event `(depth · latent_dim,)`."""
        even, odd = self._settled(x)
        sides = even.split(self.units, dim=-1), odd.split(self.units, dim=-1)
        layers = [sides[number % 2][(number - 1) // 2] for number in range(1, 1 + self.depth)]
        return Bernoulli(torch.cat(layers, dim=-1))

    def expected_exponent(self, x: Tensor, posterior: Bernoulli) -> Tensor:
        layers = posterior.mean.split(self.units, dim=-1)
        v = self._both(x, torch.cat(layers[1::2], dim=-1))
        return self.exponent(v, self.up(v), torch.cat(layers[::2], dim=-1))

    def completed(self, x: Tensor) -> Tensor:
        """The points and the posterior means of the other even layers, `(replica, N, even units)`."""
        return self._both(x, self._settled(x)[0].sigmoid())

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        """Objective with the gradient of the ELBO or, in pretraining, the CD-1 gradient of the current machine."""
        stage = int(self.age.max()) // self.pretraining_steps if self.pretraining_steps else self.depth
        if stage >= self.depth:
            return super().objective(x, noise)
        self.age += 1
        if self.centred:
            self._follow(self.completed(x))
        return self._greedy(stage, x, Draws(noise))

    def _greedy(self, lower: int, x: Tensor, draws: Draws) -> Tensor:
        """CD-1 of a layer and the next one; all others stay at their offsets, so that they learn nothing."""
        upper = lower + 1
        with torch.no_grad():
            below = x
            for layer in range(lower):
                below = self._given(layer, below, layer + 1).sigmoid()
            logits = self._given(lower, below, upper)
            dreamt = draws.bernoulli(self._given(upper, draws.bernoulli(logits), lower))
            data = self._placed({lower: below, upper: logits.sigmoid()})
            dream = self._placed({lower: dreamt, upper: self._given(lower, dreamt, upper).sigmoid()})
        return self.contrast(*data, *dream)

    def _given(self, known: int, states: Tensor, layer: int) -> Tensor:
        """Log odds of a layer from one neighbour, which counts twice if the layer has two neighbours."""
        even, odd = self._placed({known: states})
        bias, inputs = (self.hidden.bias, self.up(even)) if layer % 2 else (self.visible.bias, self.down(odd))
        logits = torch.lerp(bias, inputs, 2.0 if 0 < layer < self.depth else 1.0)
        return logits.split(self.hidden.sizes[layer % 2 :: 2], dim=-1)[layer // 2]

    def _placed(self, states: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """Both sides, `(replica, N, …)`, with these states of layers and all other layers at their offsets."""
        sides = []
        for side, offset in enumerate((self.visible_offset, self.hidden_offset)):
            layers = offset.split(self.hidden.sizes[side::2], dim=-1)
            chosen = [states.get(2 * place + side, rest) for place, rest in enumerate(layers)]
            rows = max(layer.shape[-2] for layer in states.values())
            sides.append(torch.cat([c.expand(self.replicas, rows, -1) for c in chosen], dim=-1))
        return sides[0], sides[1]

    def log_likelihood(self, x: Tensor) -> Tensor | None:
        """Exact log-likelihood if even layers have at most 8 hidden units and a side at most 16 units, else None."""
        if self._hidden_even > ENUMERABLE_BETWEEN:
            return None
        return super().log_likelihood(x)

    @property
    def sample_dim(self) -> int:
        return max(self._hidden_even, self.noise_dim)

    def log_weights(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Tensor:
        """log p(x, z) − log q(z given x) in nats of S posterior samples per point, `(replica, S·N)`.

        z are the hidden units of even layers; the units of odd layers are summed out.
        """
        number = noise.shape[1] // x.shape[-2]
        layers = (posterior or self.posterior(x)).logits.split(self.units, dim=-1)[1::2]
        q = Bernoulli(repeated(torch.cat(layers, dim=-1), number))
        z = estimators.states(q.logits, estimators.uniform(noise[..., : self._hidden_even]))
        masses = self.visible_marginal(self._both(repeated(x, number), z))[0]
        return masses - self.partition(noise).log_z[:, None] - q.log_prob(z)

    def log_mass(self, x: Tensor) -> Tensor:
        """log Z p(x), `(replica, N)`, over all states of the hidden units of even layers."""
        states = estimators.all_states(self._hidden_even, x).expand(self.replicas, -1, -1)
        size = max(1, ENTRIES_AT_ONCE // (self.replicas * states.shape[1] * self.hidden_offset.shape[-1]))
        return torch.cat([self._log_mass(part, states) for part in x.split(size, dim=-2)], dim=1)

    def _log_mass(self, x: Tensor, states: Tensor) -> Tensor:
        nothing, (points, number) = torch.zeros_like, (x.shape[-2], states.shape[1])
        of_data, of_states = self._both(x, nothing(states[:, :1])), self._both(nothing(x[..., :1, :]), states)
        exponents = self.visible.exponent(of_data)[:, :, None] + self.visible.exponent(of_states)[:, None]
        logits = self.up(of_data)[:, :, None] + (states @ self._weight_between)[:, None]
        return (exponents + self.summed_out(logits.flatten(1, 2)).unflatten(1, (points, number))).logsumexp(-1)

    @torch.no_grad()
    def _settled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior logits of the hidden units of even and of odd layers, `(replica, N, …)` each."""
        weight = self._weight_between
        # With the units of odd layers at their offsets
        even = self.visible.bias[..., self.observed_dim :].expand(-1, x.shape[-2], -1)
        bias, means = even[:, :1] - self.hidden_offset @ weight.mT, even.sigmoid()
        from_data = self.up(self._both(x, torch.zeros_like(means)))
        odd = torch.baddbmm(from_data, means, weight)
        for _ in range(self.mean_field_steps):
            even, before = torch.baddbmm(bias, odd.sigmoid(), weight.mT), means
            means = even.sigmoid()
            odd = torch.baddbmm(from_data, means, weight)
            if not ((means - before).abs() > self.tolerance).any():
                break
        return even, odd

    def _both(self, x: Tensor, even: Tensor) -> Tensor:
        """States or means of the whole even side, `(replica, N, even units)`."""
        rows = max(x.shape[-2], even.shape[-2])
        shape = self.replicas, rows, -1
        return torch.cat([x.expand(*shape[:2], x.shape[-1]), even.expand(*shape[:2], even.shape[-1])], dim=-1)

    @property
    def _hidden_even(self) -> int:
        return self.visible_offset.shape[-1] - self.observed_dim

    @property
    def _weight_between(self) -> Tensor:
        """Weights between hidden units of even layers and units of odd layers, `(replica, even, odd)`."""
        return self.hidden.weight[:, self.observed_dim :]
