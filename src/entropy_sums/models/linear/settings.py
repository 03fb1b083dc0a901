"""Settings of linear models whose posterior need not be a network. Light: without torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from entropy_sums.models.base import Ability, Activation, Look, ModelSettings, VarianceHead
from entropy_sums.settings import Packed


class FactorAnalysisSettings(ModelSettings):
    """Linear decoder with the exact posterior; with scalar noise it is probabilistic PCA."""

    name = "factor_analysis"
    implementation = "entropy_sums.models.linear.factor_analysis:FactorAnalysis"
    label = "factor analysis"
    look = Look("#56B4E9", "<")

    noise: Literal["scalar", "diagonal"] = "diagonal"
    """Standard deviations of the noise: one for all dimensions of the data (`scalar`), or one for each (`diagonal`)."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Standard deviations of the noise at the start."""

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({Ability.BOUND, Ability.MAXIMISE})


class SparseCodingSettings(ModelSettings):
    """Laplace prior with learned scales, linear decoder with columns of norm one, one learned variance."""

    name = "sparse_coding"
    implementation = "entropy_sums.models.linear.sparse_coding:sparse_coding"
    label = "sparse coding"
    look = Look("#D55E00", "d")

    prior: Literal["learned", "fixed"] = "learned"
    """Scales of the latents: with `fixed`, the negative control, the gap of the prior does not close."""
    prior_scale: Packed[PositiveFloat] = 1.0
    """Scale λ of every latent: the initial value if `learned`, else the fixed one."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Standard deviation σ of the observation at the start."""
    posterior: Literal["amortised", "diagonal", "full"] = "amortised"
    """Normal posterior: `amortised` by a network, or the best one of every point with a `diagonal` or `full`
    covariance. The search for the best one at every step suits few latents, as its cost is cubic in their number."""
    encoder_width: PositiveInt = 50
    """Number of units per hidden layer of the network of an `amortised` posterior."""
    encoder_depth: NonNegativeInt = 2
    """Number of hidden layers of this network."""
    activation: Activation = "relu"
    """Nonlinearity of the hidden layers of this network."""
    variance_head: VarianceHead = "log_variance"
    """Function that maps the variance outputs of this network to standard deviations."""
    objective: Literal["elbo", "entropy"] = "elbo"
    """Objective of training: the `elbo`, or the `entropy` sum with σ² and λ solved for on the points of each step."""
    averaging: Packed[Annotated[float, Field(ge=0, lt=1)]] = 0.0
    """Weight of the past in the averages of σ² and λ with `objective: entropy`. Minibatches need a weight near 1;
    at 0, σ² and λ are those of the last minibatch."""
    dictionary: Literal["learned", "true"] = "learned"
    """Weights W: `learned`, or held at the `true` weights that generated the data, as a reference."""

    @model_validator(mode="after")
    def _solvable(self):
        if self.objective == "entropy" and self.prior == "fixed":
            raise ValueError(
                "objective: entropy solves for the scales of the prior, which prior: fixed holds; write prior: learned "
                "or objective: elbo"
            )
        if self.averaging and self.objective == "elbo":
            raise ValueError(
                f"averaging: {self.averaging} is of σ² and λ that are solved for; write objective: entropy, or leave "
                "averaging out"
            )
        return self

    @property
    def abilities(self) -> frozenset[Ability]:
        directed = {Ability.LANDSCAPE, Ability.PRIOR_WEIGHT, Ability.WEIGHTS}
        own = {Ability.DICTIONARY, Ability.INFORMED}
        return frozenset(directed | own | ({Ability.BOUND} if self.objective == "elbo" else set()))

    def truth_misfit(self, true_weights: tuple[int, int] | None) -> str | None:
        if self.dictionary == "learned" or (true_weights and true_weights[1] == self.latent_dim):
            return None
        found = f"those of these data have {true_weights[1]}" if true_weights else "these data have none"
        return (
            f"dictionary: true needs data with true weights, one column for each latent; {found}, and latent_dim is "
            f"{self.latent_dim}: set latent_dim to their number, choose sparse_bars or sparse_sources, or write "
            "dictionary: learned"
        )

    def multiplications(self, observed_dim: int) -> int:
        encoder = [observed_dim, *[self.encoder_width] * self.encoder_depth, 2 * self.latent_dim]
        # The search takes about 20 steps, each with a factorisation and an inverse for every point
        search = 20 * (self.latent_dim**3 + self.latent_dim**2)
        inference = sum(a * b for a, b in pairwise(encoder)) if self.posterior == "amortised" else search
        return 2 * observed_dim * self.latent_dim + inference
