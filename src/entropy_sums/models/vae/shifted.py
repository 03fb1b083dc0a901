"""VAE-1 with a learned mean of the prior."""

from __future__ import annotations

import torch
from torch import nn

from entropy_sums.distributions import Normal
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.vae.vae import VAE, network_decoder, network_encoder, normal_decoder


class ShiftedNormal(nn.Module):
    """N(mu, I) with learned mu, zero at the start."""

    def __init__(self, replicas: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(replicas, 1, latent_dim))

    def forward(self) -> Normal:
        return Normal(self.mean, torch.zeros_like(self.mean[..., :1]))


def shifted_vae(blueprint: Blueprint) -> VAE:
    """Prior N(mu, I), one learned decoder variance."""
    decoder = normal_decoder(blueprint, network_decoder(blueprint), blueprint.shared.output)
    prior = ShiftedNormal(len(blueprint.replicas), blueprint.shared.latent_dim)
    return VAE(blueprint, network_encoder(blueprint), prior, decoder)
