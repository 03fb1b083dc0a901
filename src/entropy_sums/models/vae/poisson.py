"""The VAE for counts: standard normal prior, Poisson decoder with a linear last layer."""

from __future__ import annotations

from torch import Tensor

from entropy_sums.distributions import Family, Poisson
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import CountInputs, NaturalParameter, StandardNormal, log_mean
from entropy_sums.models.vae.vae import VAE, Entropy, network_decoder, network_encoder, true_entropy


def pseudo_entropy(observation: Family, x: Tensor) -> Tensor:
    r"""Entropy term of an observation with a base measure $h(x)$, for which the entropy sum has pseudo entropies.

    $$\mathcal H_\text{observation} = \tfrac1N \sum_n \bigl(\mathbb E_{q_n}[\tilde{\mathcal H}(z)] - \log h(x_n)\bigr)$$

    Source: Lücke and Warnken (arXiv 2209.03077).
    """
    assert isinstance(observation, Poisson)
    return observation.pseudo_entropy() - observation.base_measure(x)


ENTROPIES: dict[str, Entropy] = {"pseudo": pseudo_entropy, "true": true_entropy}
"""Setting `observation_entropy` → entropy term as a function of p(x given z) and x."""


def poisson_vae(blueprint: Blueprint) -> VAE:
    r"""Prior $N(0, I)$, observation $\prod_d \mathrm{Poisson}(x_d; \exp l_d(z))$, for counts of any size.

    The rates start at the means of the training points, and the encoder sees standardised roots of the counts.
    """
    s = blueprint.shared
    encoder = network_encoder(blueprint, CountInputs(blueprint.observed_dim))
    decoder = NaturalParameter(Poisson, network_decoder(blueprint), log_mean)
    return VAE(blueprint, encoder, StandardNormal(s.latent_dim), decoder, ENTROPIES[s.observation_entropy])
