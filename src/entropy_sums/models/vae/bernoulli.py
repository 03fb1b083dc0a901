"""The VAE for binary data: standard normal prior, Bernoulli decoder with a linear last layer."""

from __future__ import annotations

from entropy_sums.distributions import Bernoulli
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import NaturalParameter, StandardNormal
from entropy_sums.models.vae.vae import VAE, network_decoder, network_encoder


def bernoulli_vae(blueprint: Blueprint) -> VAE:
    r"""Prior $N(0, I)$, observation $\prod_d \mathrm{Bern}(x_d; \mathrm{sigmoid}(l_d(z)))$."""
    encoder = network_encoder(blueprint)
    decoder = NaturalParameter(Bernoulli, network_decoder(blueprint))
    return VAE(blueprint, encoder, StandardNormal(blueprint.shared.latent_dim), decoder)
