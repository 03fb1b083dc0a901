r"""Deep belief networks: directed sigmoid layers below a restricted Boltzmann machine, binary data.

$$p(x, h_1, \dots, h_L) = p(x \mid h_1)\, p(h_1 \mid h_2) \cdots p(h_{L-2} \mid h_{L-1})\, p(h_{L-1}, h_L), \qquad
  p(h_{L-1}, h_L) = e^{-E(h_{L-1}, h_L)} / Z$$

(Hinton, Osindero and Teh, Neural Computation 2006): a sigmoid belief network whose highest layer comes from the visible
units of a machine, so its posteriors and gradients are those of sbn.py, and log Z, chains and offsets those of rbm.py.
The posterior of $h_L$ given $h_{L-1}$ is that of the machine. No other one is nearer to the true posterior, it costs no
sample, and what the machine says of a sample is the log-probability of $h_{L-1}$, with $h_L$ summed out. So the machine
learns from samples of $h_{L-1}$ as it does from data, by the gradients that it has.

$$F = \overline{\mathcal H[q]} + \sum_l \mathbb E_q[\log p(h_l \mid h_{l+1})] + \mathbb E_q[-E] - \log Z$$

has one factor more than directed ones, `joint`: its entropy is $\log Z - \mathbb E_p[-E]$, and its gap, that needs no
log Z, is $\mathbb E_q[-E] - \mathbb E_p[-E] = \theta \cdot \nabla F$ for all weights and biases θ of the machine. We
know of no published result on it; docs/theory.md derives it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from entropy_sums.ais import Estimate
from entropy_sums.bound import total
from entropy_sums.distributions import Bernoulli
from entropy_sums.models.components import Blueprint
from entropy_sums.models.draws import Draws
from entropy_sums.models.rbm import Partition, rbm
from entropy_sums.models.sbn import ESTIMATORS, SBN, Prior


class MachinePrior(Prior):
    """The visible units of a restricted Boltzmann machine, below as many hidden ones."""

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
        return self.machine._log_z(self._partition(noise))

    def learn(self, posterior: Bernoulli, z: Tensor, noise: Tensor) -> Tensor:
        return self.machine.objective(z, noise)

    def training_log_z(self, z: Tensor, noise: Tensor) -> Tensor:
        learned = self.machine.objective(z, noise)
        return self.machine.mean(self.marginal(z)) - learned

    def entropy(self, noise: Tensor) -> Tensor:
        partition = self._partition(noise)
        return partition.log_z - partition.exponent

    def dream(self, z: Tensor, draws: Draws) -> Tensor:
        """Chains of k Gibbs steps from z."""
        return self.machine.gibbs(draws.bernoulli(self.machine.up(z)), draws)

    def _partition(self, noise: Tensor) -> Partition:
        # A certificate makes copies of the parameters, which are replicas of the machine, too
        self.machine.replicas = len(self.machine.hidden.weight)
        return self.machine.partition(noise)


class DBN(SBN):
    """What annealing wants of a network with a machine on top; how it is trained, other classes say."""

    prior: MachinePrior

    def bracket(self, noise: Tensor, temperatures: int) -> tuple[Estimate, Estimate]:
        """log Z of the machine by forward and by reverse annealing, with intervals over chains."""
        return self.prior.machine.bracket(noise, temperatures)

    def unnormalised(self, x: Tensor, noise: Tensor) -> Tensor:
        """The ELBO without log Z, `(replica,)`."""
        climb = self._sample(x, noise).climb
        return self.mean(climb.directed() + total(self.prior.gains(climb.posteriors[-1], climb.states[-1])))


KINDS = ESTIMATORS | {
    name: type(f"Deep{kind.__name__}", (DBN, kind), {}) for name, kind in ESTIMATORS.items() if name != "enumeration"
}
"""Estimator of the gradient in training → the network that is trained so; what is enumerated needs no annealing."""


def dbn(blueprint: Blueprint) -> SBN:
    r"""$p(h_{L-1}, h_L)$ of a machine, $p(h_l \mid h_{l+1})$ and $p(x \mid h_1)$ of Bernoulli distributions.

    Example:
        >>> import torch
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["dbn"](depth=3)], 5, [torch.Generator().manual_seed(0)])
        >>> model.factors
        ('joint', 'layer_1', 'observation')
    """
    return KINDS[blueprint.shared.estimator](blueprint, MachinePrior(blueprint))
