"""Gaussian VAEs: linear, VAE-0 (control), VAE-1, VAE-2 and VAE-3 of Damm et al. (AISTATS 2023)."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from entropy_sums.distributions import FullNormal
from entropy_sums.layers import UnitNormLinear, log_std
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import NormalMean, ScaledNormal, StandardNormal, linear_marginal
from entropy_sums.models.vae.vae import VAE, network_decoder, network_decoder_heads, network_encoder, normal_decoder


class LinearVAE(VAE):
    r"""Mean $\nu(x) = Vx + c$, posterior variances $\tau_h^2$ shared by all points, decoder $N(Wz + b, \sigma^2 I)$.

    At the optimum this is probabilistic PCA (Tipping and Bishop 1999; Damm et al. 2023, figure 1a).
    """

    def __init__(self, blueprint: Blueprint) -> None:
        s = blueprint.shared
        posterior_mean = blueprint.linear(blueprint.observed_dim, s.latent_dim)
        observation_mean = blueprint.linear(s.latent_dim, blueprint.observed_dim)
        observation = normal_decoder(blueprint, observation_mean, "linear")
        super().__init__(
            blueprint,
            NormalMean(posterior_mean, blueprint.packed("initial_encoder_std"), s.latent_dim, s.variance_head),
            StandardNormal(s.latent_dim),
            observation,
        )
        self._linear, self._observation = observation_mean, observation

    def marginal(self) -> FullNormal:
        r"""$p(x) = \mathcal N(b, WW^\top + \sigma^2 I)$, batch shape `(replica, 1)`."""
        return linear_marginal(self._linear, (2 * log_std(self._observation.spread, self._observation.kind)).exp())

    def log_likelihood(self, x: Tensor) -> Tensor:
        return self.mean(self.marginal().log_prob(x))


def vae0(blueprint: Blueprint) -> VAE:
    """VAE-1 with a fixed decoder variance: the negative control."""
    return _shared_variance(blueprint, "decoder_std", learned=False)


def vae1(blueprint: Blueprint) -> VAE:
    r"""Prior $N(0, I)$, decoder $N(\mu(z), \sigma^2 I)$ with one learned variance (Damm et al. 2023, definition 1)."""
    return _shared_variance(blueprint, "initial_std", learned=True)


def _shared_variance(blueprint: Blueprint, std: str, learned: bool) -> VAE:
    s = blueprint.shared
    encoder = network_encoder(blueprint)
    decoder = normal_decoder(blueprint, network_decoder(blueprint), s.output, std, learned)
    return VAE(blueprint, encoder, StandardNormal(s.latent_dim), decoder)


def vae2(blueprint: Blueprint) -> VAE:
    r"""Prior $N(0, \mathrm{diag}\,\alpha^2)$ with learned $\alpha$; the first decoder layer has unit columns.

    A column maps one latent to the first layer; its norm would be redundant besides α (Damm et al. 2023).
    """
    s = blueprint.shared
    encoder = network_encoder(blueprint)
    unit = partial(UnitNormLinear, renormalise=s.unit_columns == "renormalise")
    decoder = normal_decoder(blueprint, network_decoder(blueprint, first=unit), s.output)
    return VAE(blueprint, encoder, ScaledNormal(blueprint.packed("initial_prior_std"), s.latent_dim), decoder)


def vae3(blueprint: Blueprint) -> VAE:
    r"""Prior $N(0, I)$, decoder $N(\mu(z), \mathrm{diag}\,\sigma_d^2(z))$ (Damm et al. 2023, theorem 2).

    It has no optimum on data with constant or few-valued dimensions: dequantise such data.
    """
    encoder = network_encoder(blueprint)
    decoder = network_decoder_heads(blueprint)
    return VAE(blueprint, encoder, StandardNormal(blueprint.shared.latent_dim), decoder)
