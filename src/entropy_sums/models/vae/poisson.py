"""The VAE for counts: standard normal prior, Poisson decoder with a linear last layer."""

from __future__ import annotations

from torch import Tensor

from entropy_sums.distributions import Poisson
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import NaturalParameter, StandardNormal
from entropy_sums.models.vae.vae import VAE, network_decoder, network_encoder


class PseudoEntropyVAE(VAE):
    r"""A VAE whose observation has a base measure $h(x)$, so that pseudo entropies belong into the entropy sum.

    $$\mathcal H_\text{observation} = \tfrac1N \sum_n \bigl(\mathbb E_{q_n}[\tilde{\mathcal H}(z)] - \log h(x_n)\bigr)$$

    Source: Lücke and Warnken (arXiv 2209.03077).
    """

    def observation_entropy(self, observation: Poisson, x: Tensor) -> Tensor:
        return observation.pseudo_entropy() - observation.base_measure(x)


def poisson_vae(blueprint: Blueprint) -> VAE:
    r"""Prior $N(0, I)$, observation $\prod_d \mathrm{Poisson}(x_d; \exp l_d(z))$."""
    kind = ENTROPIES[blueprint.shared.observation_entropy]
    encoder, decoder = network_encoder(blueprint), NaturalParameter(Poisson, network_decoder(blueprint))
    return kind(blueprint, encoder, StandardNormal(blueprint.shared.latent_dim), decoder)


ENTROPIES: dict[str, type[VAE]] = {"pseudo": PseudoEntropyVAE, "true": VAE}
"""Which entropies of the Poisson the entropy sum has → the VAE that does so."""
