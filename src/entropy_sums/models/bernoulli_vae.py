"""The VAE for binary data: standard normal prior, Bernoulli decoder with a linear last layer."""

from __future__ import annotations

from entropy_sums.distributions import Bernoulli
from entropy_sums.models.components import VAE, Blueprint, NaturalParameter, StandardNormal


def bernoulli_vae(blueprint: Blueprint) -> VAE:
    r"""Prior $N(0, I)$, observation $\prod_d \mathrm{Bern}(x_d; \mathrm{sigmoid}(l_d(z)))$."""
    encoder = blueprint.network_encoder()
    decoder = NaturalParameter(Bernoulli, blueprint.network_decoder())
    return VAE(blueprint, encoder, StandardNormal(blueprint.shared.latent_dim), decoder)
