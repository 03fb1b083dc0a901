r"""Deep belief networks: directed sigmoid layers below a restricted Boltzmann machine, binary data.

$$p(x, h_1, \dots, h_L) = p(x \mid h_1)\, p(h_1 \mid h_2) \cdots p(h_{L-2} \mid h_{L-1})\, p(h_{L-1}, h_L), \qquad
  p(h_{L-1}, h_L) = e^{-E(h_{L-1}, h_L)} / Z$$

(Hinton, Osindero and Teh, Neural Computation 2006): a belief network whose highest directed layer consists of the
visible units of a machine. Posteriors and gradients are those of sampled.py; log Z, chains and offsets are those of
machine.py. The posterior of $h_L$ given $h_{L-1}$ is the exact one of the machine. It needs no sample, and the machine
contributes the log-probability of $h_{L-1}$ with $h_L$ summed out. So the machine learns from samples of $h_{L-1}$ as
from data, by the same gradients.

$$F = \overline{\mathcal H[q]} + \sum_l \mathbb E_q[\log p(h_l \mid h_{l+1})] + \mathbb E_q[-E] - \log Z$$

has the factor `joint` besides the directed ones. Its entropy is $\log Z - \mathbb E_p[-E]$. Its gap needs no log Z; it
is $\mathbb E_q[-E] - \mathbb E_p[-E] = \theta \cdot \nabla F$ for all weights and biases θ of the machine. We
know of no published result on it; docs/theory.md derives it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from entropy_sums.ais import Estimate
from entropy_sums.bound import total
from entropy_sums.distributions import Bernoulli
from entropy_sums.layers import Linear
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.binary.network import BeliefNetwork, EnumeratedNetwork, Prior
from entropy_sums.models.binary.rbm import RBM, rbm
from entropy_sums.models.binary.sampled import SampledNetwork
from entropy_sums.models.binary.units import BernoulliVisible
from entropy_sums.models.blueprint import Blueprint


class MachinePrior(Prior):
    """Visible units of a restricted Boltzmann machine with equal numbers of visible and hidden units."""

    factor = "joint"
    noise_dim = Draws.noise_dim

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.machine = rbm(replace(blueprint, observed_dim=blueprint.shared.latent_dim))

    @property
    def evolving(self) -> tuple[str, ...]:
        return tuple(f"machine.{name}" for name in self.machine.evolving)

    def gains(self, posterior: Bernoulli, z: Tensor) -> tuple[Tensor, Tensor]:
        decided = self.marginal(z)
        return torch.zeros_like(decided), decided

    def hidden_entropy(self, z: Tensor) -> Tensor:
        return self.machine.posterior(z).entropy()

    def marginal(self, z: Tensor) -> Tensor:
        return self.machine.log_mass(z)

    def log_z(self, noise: Tensor) -> Tensor:
        return self.machine.log_z(self.machine.partition(noise))

    def learn(self, posterior: Bernoulli, z: Tensor, noise: Tensor) -> Tensor:
        return self.machine.objective(z, noise)

    def training_log_z(self, z: Tensor, noise: Tensor) -> Tensor:
        learned = self.machine.objective(z, noise)
        return self.machine.mean(self.marginal(z)) - learned

    def entropy(self, noise: Tensor) -> Tensor:
        partition = self.machine.partition(noise)
        return partition.log_z - partition.exponent

    def dream(self, z: Tensor, draws: Draws) -> Tensor:
        """States of chains after k Gibbs steps from z."""
        return self.machine.gibbs(draws.bernoulli(self.machine.up(z)), draws)


class DBN(SampledNetwork):
    """A belief network with a machine on top, with annealing and greedy pretraining.

    In pretraining, each directed layer in turn is a restricted Boltzmann machine with the weights of its inference
    network in both directions. It learns by CD-k from samples of the layer below. Last, the machine on top learns from
    samples of the highest directed layer. Afterwards all weights are free.
    """

    exact_posterior = False
    prior: MachinePrior
    age: Tensor

    def __init__(self, blueprint: Blueprint, prior: MachinePrior) -> None:
        super().__init__(blueprint, prior)
        self.pretraining_steps = blueprint.shared.pretraining_steps
        self.greedy = nn.ModuleList()
        if self.pretraining_steps:
            self.register_buffer("age", torch.zeros(self.replicas, 1, dtype=torch.int64))
            pairs = zip(self.encoders, self.decoders, strict=True)
            self.greedy.extend(_shared(blueprint, *map(_linear, pair)) for pair in pairs)

    @property
    def evolving(self) -> tuple[str, ...]:
        return (*super().evolving, "age") if self.greedy else super().evolving

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        """Objective with the gradient of the elbo or, during pretraining, the objective of the current machine."""
        stage = self._stage(0)
        if stage > self.depth:
            return self.estimator.objective(self, x, noise)
        self.age += 1
        with torch.no_grad():
            sample = self.sample(x, noise)
        learned = [*self.greedy, self.prior.machine][stage].objective([sample.x, *sample.climb.states][stage], noise)
        others = total(p.flatten(1).sum(1) for p in self.parameters() if p.requires_grad)
        return learned + 0 * others

    def constrain(self) -> None:
        """Tie the conditional of the layer in pretraining to the weights of its inference network."""
        stage = self._stage(-1)
        if 0 <= stage < len(self.greedy):
            with torch.no_grad():
                _linear(self.decoders[stage]).weight.copy_(_linear(self.encoders[stage]).weight.mT)

    def _stage(self, steps: int) -> int:
        """Index of the machine in pretraining `steps` steps from now, from below; `depth` + 1 or more afterwards."""
        return (int(self.age.max()) + steps) // self.pretraining_steps if self.greedy else self.depth + 1

    def bracket(self, noise: Tensor, temperatures: int) -> tuple[Estimate, Estimate]:
        """log Z of the machine by forward and by reverse annealing, with intervals over chains."""
        return self.prior.machine.bracket(noise, temperatures)

    def partition_errors(self, noise: Tensor) -> dict[str, Tensor]:
        """Standard errors of `elbo`, `entropy_sum` and `gap` over annealed chains, `(replica,)`; none if exact."""
        return self.prior.machine.partition_errors(noise)

    def unnormalised(self, x: Tensor, noise: Tensor) -> Tensor:
        """ELBO of every point without log Z, `(replica, N)`."""
        climb = self.sample(x, noise).climb
        return climb.directed() + total(self.prior.gains(climb.posteriors[-1], climb.states[-1]))


def _linear(conditional: nn.Module) -> Linear:
    """Only layer of a conditional without hidden layers."""
    return cast(Linear, conditional.get_submodule("network.1"))


def _shared(blueprint: Blueprint, up: Linear, down: Linear) -> RBM:
    """A machine with the weights and biases of a layer upwards, and the biases downwards."""
    plain = [settings.model_copy(update={"gradient": "cd", "centred": False}) for settings in blueprint.replicas]
    layer = replace(blueprint, replicas=plain)
    visible = BernoulliVisible(layer)
    visible.bias = down.bias
    return RBM(layer, visible, up)


def dbn(blueprint: Blueprint) -> BeliefNetwork:
    r"""$p(h_{L-1}, h_L)$ of a machine, $p(h_l \mid h_{l+1})$ and $p(x \mid h_1)$ of Bernoulli distributions.

    Example:
        >>> import torch
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["dbn"](depth=3)], 5, [torch.Generator().manual_seed(0)])
        >>> model.factors
        ('joint', 'layer_1', 'observation')
    """
    # Enumeration needs no annealing
    kind = EnumeratedNetwork if blueprint.shared.estimator == "enumeration" else DBN
    return kind(blueprint, MachinePrior(blueprint))
