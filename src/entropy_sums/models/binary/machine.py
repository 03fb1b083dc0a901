r"""Boltzmann machines with two sides of units, connected only to each other: exact, CD-k, PCD-k, parallel tempering.

$$-E(v, h) = a(v) + (\tilde v - \tilde\mu)^\top W (h - \lambda) + c^\top (h - \lambda), \qquad p(v, h) = e^{-E} / Z$$

with $a(v) = b^\top v$ and $\tilde v = v$ for Bernoulli units, $a(v) = -\sum_d (v_d - b_d)^2 / 2\sigma_d^2$ and
$\tilde v_d = v_d / \sigma_d^2$ for normal ones (Cho, Ilin and Raiko, ICANN 2011). The offsets $\mu$ and $\lambda$ are
zero, or follow the means of both layers (Melchior, Fischer and Wiskott, JMLR 2016), which leaves the distribution as
it is. The only factor is the joint distribution, whose entropy is $\log Z - \mathbb E_p[-E]$, and the gap $\mathbb
E_q[-E] - \mathbb E_p[-E]$ needs no log Z. We know of no published result on it; docs/theory.md derives it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from entropy_sums import ais
from entropy_sums.bound import Bound, Factor
from entropy_sums.distributions import Bernoulli, Family
from entropy_sums.estimators import all_states, zero_with_slope
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.binary.partition import Layer, Partition, chain_errors
from entropy_sums.models.binary.settings import ENUMERABLE_UNITS as ENUMERABLE
from entropy_sums.models.binary.tempering import exchanged, ladder, moved
from entropy_sums.models.binary.units import Hidden, Visible
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.model import Model, copies

ENTRIES_AT_ONCE = 2**21
"""Largest number of entries computed at once: states times units of both layers."""

TEMPERATURES_PER_SWEEP = 10
"""Number of annealing temperatures per subsequent Gibbs step of a chain; E_p[−E] is averaged over these steps."""

OFFSET_RATE = 0.01
"""Rate at which the offsets of a centred machine follow the means, per step (Melchior, Fischer and Wiskott, 2016)."""


class Machine(Model, ABC):
    """A Boltzmann machine with two sides; its partition function is exact or from annealed importance sampling.

    It is exact if a side has at most 16 units that can be enumerated. Otherwise log Z and E_p[−E] are estimated with
    the weights of annealed chains. They are estimated once at given parameters, with the first noise seen there.
    E_p[−E] is also averaged over Gibbs steps after annealing, as single states of the chains are too noisy.

    Args:
        visible: module of the visible units.
        hidden: module with weights and biases of the hidden units.
        latent_dim: number of latents.
    """

    factors = ("joint",)
    exact_posterior: ClassVar[bool]
    evolving = ("chains", "visible_offset", "hidden_offset", "hotter")
    chains: Tensor
    hotter: Tensor
    betas: Tensor
    visible_offset: Tensor
    hidden_offset: Tensor

    def __init__(self, blueprint: Blueprint, visible: Visible, hidden: Hidden, latent_dim: int) -> None:
        settings, (replicas, *layers) = blueprint.shared, hidden.weight.shape
        super().__init__(latent_dim, Draws.noise_dim)
        self.visible, self.hidden = visible, hidden
        self.gradient, self.gibbs_steps = GRADIENTS[settings.gradient], settings.gibbs_steps
        self.centred, self.temperatures = settings.centred, settings.temperatures
        middle = (visible.middle, 0.5) if self.centred else (0.0, 0.0)
        for name, units, value in zip(("visible_offset", "hidden_offset"), layers, middle, strict=True):
            self.register_buffer(name, torch.full((replicas, 1, units), value))
        for name, rows in (("chains", settings.chains), ("hotter", (settings.levels - 1) * settings.chains)):
            starts = [torch.rand(rows, layers[1], generator=g) for g in blueprint.generators]
            self.register_buffer(name, torch.stack(starts).round())
        self.register_buffer("betas", ladder(settings.levels))
        self._known: tuple[list[Tensor], Partition] | None = None

    def up(self, v: Tensor) -> Tensor:
        """Log odds of the hidden units, `(replica, N, H)`."""
        weight = self.visible.scaled(self.hidden.weight)
        bias = self.hidden.bias - (self.visible_offset @ weight if self.centred else 0)
        return torch.baddbmm(bias, v.expand(len(weight), *v.shape[-2:]), weight)

    def down(self, h: Tensor, strength: float = 1.0) -> Tensor:
        """Input of the visible units from hidden ones, `(replica, N, D)`, the weights times `strength`."""
        weight = self.hidden.weight.mT
        bias = self.visible.bias - (strength * (self.hidden_offset @ weight) if self.centred else 0)
        return torch.baddbmm(bias, h.expand(len(weight), *h.shape[-2:]), weight, alpha=strength)

    @abstractmethod
    def posterior(self, x: Tensor) -> Bernoulli: ...

    @abstractmethod
    def expected_exponent(self, x: Tensor, posterior: Bernoulli) -> Tensor:
        """E_q[−E] of every point in nats, `(replica, N)`."""

    @abstractmethod
    def completed(self, x: Tensor) -> Tensor:
        """The visible side of every point, `(*replica, N, D)`, with means for its units that are not observed."""

    @abstractmethod
    def log_mass(self, x: Tensor) -> Tensor:
        """log Z p(x), `(replica, N)`."""

    def exponent(self, v: Tensor, logits: Tensor, h: Tensor) -> Tensor:
        """−E(v, h) in nats, `(replica, N)`, from `logits = up(v)`; its mean for means of h."""
        return self.visible.exponent(v) + ((h - self.hidden_offset) * logits).sum(-1)

    def visible_marginal(self, v: Tensor) -> tuple[Tensor, Bernoulli]:
        """log Σ_h e^−E(v, h), minus the free energy, `(replica, N)`, and p(h given v)."""
        logits = self.up(v)
        return self.visible.exponent(v) + self.summed_out(logits), Bernoulli(logits)

    def summed_out(self, logits: Tensor) -> Tensor:
        """Contribution to log Σ_h e^−E of hidden units with these log odds, besides a(v), `(replica, N)`."""
        return -(self.hidden_offset * logits + logsigmoid(-logits)).sum(-1)

    def hidden_marginal(self, h: Tensor) -> tuple[Tensor, Family]:
        """log ∫ e^−E(v, h) dv, `(replica, N)`, and p(v given h).

        The integral is e^−E(v, h) / p(v given h) at any v; at the offset, E does not depend on the weights.
        """
        given, v = self.visible.given(self.down(h)), self.visible_offset
        biases = ((h - self.hidden_offset) * self.hidden.bias).sum(-1)
        return self.visible.exponent(v) + biases - given.log_prob(v), given

    def bound(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Bound:
        """Bound on the log-likelihood; it needs no posterior samples."""
        posterior = posterior or self.posterior(x)
        data = self.mean(self.expected_exponent(x, posterior))
        partition = self.partition(noise)
        return Bound(
            posterior_entropy=self.mean(posterior.entropy()),
            factors={"joint": Factor(self.log_z(partition) - data, partition.log_z - partition.exponent)},
        )

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        """Objective with the gradient of the ELBO, or with the gradient estimate that the settings name."""
        v = self.completed(x)
        if self.centred:
            self._follow(v)
        return self.gradient(self, v, noise)

    def log_likelihood(self, x: Tensor) -> Tensor | None:
        if self._small is None:
            return None
        return self.mean(self.log_mass(x)) - self._remembered(Machine._enumerated).log_z

    def partition(self, noise: Tensor) -> Partition:
        """log Z, E_p[−E] and ∇ log Z at the current parameters."""
        return self._remembered(Machine._enumerated if self._small else partial(Machine._annealed, noise=noise))

    def partition_errors(self, noise: Tensor) -> dict[str, Tensor]:
        """Standard errors of `elbo`, `entropy_sum` and `gap` over annealed chains, `(replica,)`; none if exact."""
        return self.partition(noise).errors

    def unnormalised(self, x: Tensor, noise: Tensor) -> Tensor:
        """ELBO of every point without log Z, `(replica, N)`."""
        posterior = self.posterior(x)
        return self.expected_exponent(x, posterior) + posterior.entropy()

    def bracket(self, noise: Tensor, temperatures: int) -> tuple[ais.Estimate, ais.Estimate]:
        """log Z by forward AIS and by reverse AIS, with intervals over chains.

        Reverse AIS begins at the persistent chains after one Gibbs step per temperature, as training may not have kept
        the chains close to the model.
        """
        draws, betas = Draws(noise), ais.schedule(temperatures)
        with torch.no_grad():
            up, _ = ais.anneal(partial(self.temper, draws), self.base_samples(draws), betas)
            samples = self.gibbs(self.chains, draws, temperatures)
            down, _ = ais.anneal(partial(self.temper, draws), samples, betas[::-1])
            return ais.forward(self.log_z_of_base(), up), ais.reverse(self.log_z_of_base(), down)

    def contrast(self, x: Tensor, on_data: Tensor, v: Tensor, on_chains: Tensor) -> Tensor:
        """Value `(replica,)` with the gradient of mean −E over data minus that over chains.

        Only its gradient has a meaning. The units are fixed, with means of the hidden units. If the chains are samples
        of the model, this is the gradient of the log-likelihood. Moments are of deviations from the offsets, so that
        units at their offsets learn nothing, not even by rounding errors, which Adam would turn into full steps.
        """
        with torch.no_grad():
            data, chains = on_data - self.hidden_offset, on_chains - self.hidden_offset
            single = data.mean(1, keepdim=True) - chains.mean(1, keepdim=True)
            from_data, from_chains = (u - self.visible_offset if self.centred else u for u in (x, v))
            transposed = from_data.mT.expand(len(data), -1, -1)
            joint = torch.baddbmm(single, transposed, data, beta=0, alpha=1 / data.shape[1])
            joint.baddbmm_(from_chains.mT, chains, alpha=-1 / chains.shape[1])
        hidden = zero_with_slope(self.hidden.bias, single)
        coupled = zero_with_slope(self.visible.scaled(self.hidden.weight), joint)
        return hidden + coupled + self.visible.mean_exponent(x) - self.visible.mean_exponent(v)

    @torch.no_grad()
    def gibbs(self, h: Tensor, draws: Draws, steps: int | None = None) -> Tensor:
        """Visible units after `steps` Gibbs steps from hidden units, by default k steps."""
        for _ in range((steps or self.gibbs_steps) - 1):
            h = draws.bernoulli(self.up(self.visible.sample(self.down(h), draws)))
        return self.visible.sample(self.down(h), draws)

    @torch.no_grad()
    def exchange(self, draws: Draws) -> Tensor:
        """Visible units of the chains after k Gibbs steps at every temperature, each with a sweep of swaps."""
        for _ in range(self.gibbs_steps - 1):
            self._exchange(draws)
        return self._exchange(draws)

    def _exchange(self, draws: Draws) -> Tensor:
        levels, chains = len(self.betas), self.chains.shape[1]
        betas = self.betas.repeat_interleave(chains).unsqueeze(-1)
        inputs = self.down(torch.cat([self.chains, self.hotter], dim=1))
        v = self.visible.sample(torch.lerp(self.visible.bias, inputs, betas), draws)
        coupled = self.up(v) - self.hidden.bias
        h = draws.bernoulli(self.hidden.bias + betas * coupled)
        interactions = ((h - self.hidden_offset) * coupled).sum(-1).unflatten(1, (levels, chains))
        origin = exchanged(interactions, self.betas, draws.uniform(levels - 1, chains))
        h = moved(h, origin)
        self.chains.copy_(h[:, :chains])
        self.hotter.copy_(h[:, chains:])
        return moved(v, origin[:, :1])

    def temper(self, draws: Draws, v: Tensor, start: float, end: float) -> tuple[Tensor, Tensor]:
        """Annealing step between the machine without its weights and the machine, weights times β: an `ais.Step`."""
        bias = self.hidden.bias
        coupled = self.up(v) - bias
        before, after = bias + start * coupled, bias + end * coupled
        ratio = logsigmoid(-before) - logsigmoid(-after) - (end - start) * self.hidden_offset * coupled
        return ratio.sum(-1), self.visible.sample(self.down(draws.bernoulli(after), end), draws)

    def base_samples(self, draws: Draws) -> Tensor:
        """Visible vectors of the machine without its weights, `(replica, chains, D)`."""
        return self.visible.sample(self.visible.bias.expand(-1, self.chains.shape[1], -1), draws)

    def log_z_of_base(self) -> Tensor:
        """log Z of the machine without its weights, `(replica,)`, in float64."""
        v, bias = self.visible_offset, self.hidden.bias
        visible = self.visible.exponent(v) - self.visible.given(self.visible.bias).log_prob(v)
        hidden = -(self.hidden_offset * bias + logsigmoid(-bias)).sum(-1)
        return (visible + hidden).squeeze(1).double()

    @property
    def _small(self) -> Layer | None:
        """Smaller layer that can be enumerated; None if it is too large."""
        hidden = Layer(self.hidden_offset.shape[-1], self.hidden_marginal)
        layers = [hidden, self._visible_layer] if self.visible.countable else [hidden]
        smallest = min(layers, key=lambda layer: layer.units)
        return smallest if smallest.units <= ENUMERABLE else None

    @property
    def _visible_layer(self) -> Layer:
        return Layer(self.visible_offset.shape[-1], self.visible_marginal)

    @torch.no_grad()
    def _follow(self, x: Tensor) -> None:
        """Move the offsets towards the means over x, and adapt the biases so that the distribution is unchanged."""
        visible = OFFSET_RATE * (x.mean(-2, keepdim=True) - self.visible_offset)
        hidden = OFFSET_RATE * (self.up(x).sigmoid().mean(1, keepdim=True) - self.hidden_offset)
        self.hidden.bias.add_(visible @ self.visible.scaled(self.hidden.weight))
        self.visible.bias.add_(hidden @ self.hidden.weight.mT)
        self.visible_offset += visible
        self.hidden_offset += hidden

    def log_z(self, partition: Partition) -> Tensor:
        """log Z with its gradient."""
        pairs = zip(self._learned(), partition.slopes, strict=True)
        return partition.log_z + sum(zero_with_slope(parameter, slope) for parameter, slope in pairs)

    def _remembered(self, compute: Callable[[Machine], Partition]) -> Partition:
        """Partition, computed once at given parameters, as an evaluation reads it for every chunk of the data."""
        state = [*self.parameters(), self.visible_offset, self.hidden_offset]
        if self._known is None or not all(map(torch.equal, self._known[0], state)):
            # A certificate evaluates many copies of one replica
            alike = self.replicas > 1 and all(tensor.eq(tensor[:1]).all() for tensor in state)
            found = compute(copies(self, 1)).repeated(self.replicas) if alike else compute(self)
            self._known = [tensor.detach().clone() for tensor in state], found
        return self._known[1]

    def _enumerated(self) -> Partition:
        layer = self._small
        assert layer is not None
        states = all_states(layer.units, self.chains).expand(self.replicas, -1, -1)
        return reduce(Partition.joined, (self._part(layer, part) for part in self._split(states)))

    def _annealed(self, noise: Tensor) -> Partition:
        draws = Draws(noise[: self.replicas])
        with torch.no_grad():
            betas = ais.schedule(self.temperatures)
            weights, v = ais.anneal(partial(self.temper, draws), self.base_samples(draws), betas)
            log_weights = self.log_z_of_base()[:, None] + weights - math.log(v.shape[1])
        sweeps = 1 + self.temperatures // TEMPERATURES_PER_SWEEP
        exponents = torch.zeros_like(log_weights)
        found: Partition | None = None
        for block in torch.arange(sweeps).split(max(1, self._rows_at_once // v.shape[1])):
            states = []
            for sweep in block.tolist():
                v = self.gibbs(draws.bernoulli(self.up(v)), draws, 1) if sweep else v
                states.append(v)
            together = torch.cat(states, dim=1)
            shares = (log_weights - math.log(sweeps)).repeat(1, len(states))
            part = self._part(self._visible_layer, together, shares)
            found = part if found is None else found.joined(part)
            with torch.no_grad():
                expected = self._expected(*self.visible_marginal(together)).unflatten(1, (len(states), -1))
                exponents += expected.sum(1, dtype=torch.float64) / sweeps
        assert found is not None
        return replace(found, errors=chain_errors(log_weights, exponents))

    def _split(self, states: Tensor) -> Sequence[Tensor]:
        """Split a tensor along the axis of states into parts that are computed at once."""
        return states.split(self._rows_at_once, dim=1)

    @property
    def _rows_at_once(self) -> int:
        units = self.hidden_offset.shape[-1] + self.visible_offset.shape[-1]
        return max(1, ENTRIES_AT_ONCE // (self.replicas * units))

    def _part(self, layer: Layer, states: Tensor, log_weights: Tensor | None = None) -> Partition:
        """Partition from some states of a layer and their log weights; by default the states are weighted by e^−E."""
        learned = self._learned()
        with torch.enable_grad():
            masses, other = layer.marginal(states)
            log_weights = masses.detach().double() if log_weights is None else log_weights
            log_z = log_weights.logsumexp(1)
            shares = (log_weights - log_z[:, None]).exp()
            slopes = torch.autograd.grad((shares.to(masses) * masses).sum(), learned)
        with torch.no_grad():
            return Partition(log_z, (shares * self._expected(masses, other)).sum(1), list(slopes))

    def _expected(self, masses: Tensor, other: Family) -> Tensor:
        """E[−E given one layer] from the `marginal` of this layer, `(replica, N)`."""
        return masses - other.entropy()

    def _learned(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def _likelihood(machine: Machine, x: Tensor, noise: Tensor) -> Tensor:
    return machine.mean(machine.visible_marginal(x)[0]) - machine.log_z(machine.partition(noise))


def _contrastive_divergence(machine: Machine, x: Tensor, noise: Tensor) -> Tensor:
    """Contrast of the data with chains of k steps from the data; Hinton (Neural Computation 2002)."""
    draws = Draws(noise)
    with torch.no_grad():
        logits = machine.up(x)
        v = machine.gibbs(draws.bernoulli(logits), draws)
        means = logits.sigmoid(), machine.up(v).sigmoid()
    return machine.contrast(x, means[0], v, means[1])


def _persistent_contrastive_divergence(machine: Machine, x: Tensor, noise: Tensor) -> Tensor:
    """Contrast of the data with persistent chains, which take k steps per update; Tieleman (ICML 2008)."""
    draws = Draws(noise)
    with torch.no_grad():
        v = machine.gibbs(machine.chains, draws)
        logits = machine.up(v)
        machine.chains.copy_(draws.bernoulli(logits))
        means = machine.up(x).sigmoid(), logits.sigmoid()
    return machine.contrast(x, means[0], v, means[1])


def _parallel_tempering(machine: Machine, x: Tensor, noise: Tensor) -> Tensor:
    """Contrast of the data with persistent chains that swap temperatures; Desjardins et al. (AISTATS 2010)."""
    with torch.no_grad():
        v = machine.exchange(Draws(noise))
        means = machine.up(x).sigmoid(), machine.up(v).sigmoid()
    return machine.contrast(x, means[0], v, means[1])


GRADIENTS: dict[str, Callable[[Machine, Tensor, Tensor], Tensor]] = {
    "exact": _likelihood,
    "cd": _contrastive_divergence,
    "pcd": _persistent_contrastive_divergence,
    "parallel_tempering": _parallel_tempering,
}
"""Name of a gradient → the objective with this gradient, `(replica,)`."""
