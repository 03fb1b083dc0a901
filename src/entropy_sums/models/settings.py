"""Settings of every model. Light: imported by the workflow, so without numpy or torch.

One class per model with only the settings which that model accepts. `implementation` names the torch code as
`module:name`, called with a Blueprint; it is imported where a model is built.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from entropy_sums.settings import Packed, Settings

Rate = Annotated[float, Field(ge=0, le=1)]
Activation = Literal["relu", "leaky_relu", "elu", "silu", "softplus", "tanh"]
Support = Literal["real", "binary", "counts", "nonnegative", "positive"]
VarianceHead = Literal["log_variance", "softplus", "leaky_relu"]

CLOSING = {"entropies": "weighted", "observation_entropy": "pseudo"}
"""Setting that says which entropies stand in the entropy sum → those that the objective meets at stationary points."""


class ModelSettings(Settings):
    """What all models have in common."""

    implementation: ClassVar[str]
    support: ClassVar[Support] = "real"
    """What the observation is a distribution over; other data are refused."""

    latent_dim: PositiveInt = 2
    """Number H of latents: latent variables, hidden units, or components of a mixture."""
    initial_scale: Packed[PositiveFloat] = 1.0
    """Factor on the usual uniform initial weights."""

    @property
    def ascends_elbo(self) -> bool:
        """Whether stationary points of training are those of the ELBO: there the certificates predict the gap."""
        return True

    @property
    def pretraining(self) -> int:
        """Steps at the start of training that ascend something else than what comes after them."""
        return 0

    @property
    def least_samples(self) -> int:
        """Posterior samples that every phase must have."""
        return 1

    def closing(self) -> ModelSettings:
        """The model with the same objective and the entropies that it meets at its stationary points.

        Example:
            >>> PoissonVAESettings(observation_entropy="true").closing().observation_entropy
            'pseudo'
        """
        fields = type(self).model_fields
        return self.model_copy(update={name: value for name, value in CLOSING.items() if name in fields})

    def weights(self, observed_dim: int) -> int:
        """Roughly how many multiplications a point costs in encoder and decoder, for a forecast: one per weight."""
        return 2 * observed_dim * self.latent_dim

    def sampled_dim(self, observed_dim: int) -> int:
        """How many of so many data dimensions each of several posterior samples costs as much as, for a forecast.

        Fewer than all say that samples are averaged where they are fewer: `Blueprint.normal_decoder` asks.
        """
        return observed_dim

    def parameters(self, observed_dim: int) -> int:
        """Roughly how many numbers one run learns, for the same: as many, unless a weight serves more than once."""
        return self.weights(observed_dim)


class VAESettings(ModelSettings):
    """What all VAEs have in common: how their ELBO is weighted."""

    beta: Packed[PositiveFloat] = 1.0
    """Weight β of posterior entropy and prior: the elbo is β(H[q] − CE of the prior) − CE of the observation."""
    entropies: Literal["weighted", "unweighted"] = "weighted"
    """With another β than 1: whether the entropy sum is weighted as the elbo is; unweighted, the gap does not close."""
    free_bits: NonNegativeFloat = 0.0
    """Nats that each latent may carry for free: its KL, a mean over the batch, counts as no less in the elbo."""


class LinearVAESettings(VAESettings):
    """Linear encoder mean and decoder, one encoder standard deviation per latent, shared by all points."""

    implementation = "entropy_sums.models.gaussian_vae:LinearVAE"

    variance_head: VarianceHead = "log_variance"
    """How free parameters become standard deviations."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Decoder standard deviation σ at the start."""

    def sampled_dim(self, observed_dim: int) -> int:
        return min(self.latent_dim, observed_dim)


class NetworkSettings(VAESettings):
    """Encoder and decoder networks."""

    encoder_width: PositiveInt = 50
    """Units per hidden layer of the encoder."""
    encoder_depth: NonNegativeInt = 2
    """Number of hidden layers of the encoder."""
    decoder_width: PositiveInt = 50
    """Units per hidden layer of the decoder."""
    decoder_depth: NonNegativeInt = 2
    """Number of hidden layers of the decoder."""
    activation: Activation = "relu"
    """Nonlinearity of all hidden layers."""
    dropout: Packed[Rate] = 0.0
    """Rate at which hidden units of encoder and decoder are dropped in training; traces are recorded without."""
    variance_head: VarianceHead = "log_variance"
    """How variance outputs and free parameters become standard deviations."""

    @property
    def ascends_elbo(self) -> bool:
        return self.dropout == 0

    def weights(self, observed_dim: int) -> int:
        encoder = [observed_dim, *[self.encoder_width] * self.encoder_depth, 2 * self.latent_dim]
        decoder = [self.latent_dim, *[self.decoder_width] * self.decoder_depth, 2 * observed_dim]
        return sum(a * b for sizes in (encoder, decoder) for a, b in pairwise(sizes))


class GaussianSettings(NetworkSettings):
    """A normal observation."""

    output: Literal["linear", "sigmoid"] = "linear"
    """What the mean of the observation is of the last layer; `sigmoid` keeps it between 0 and 1."""


class OneVarianceSettings(GaussianSettings):
    """A normal observation with one variance, of which samples may be averaged before they meet the data."""

    def sampled_dim(self, observed_dim: int) -> int:
        features = self.decoder_width if self.decoder_depth else self.latent_dim
        return min(features, observed_dim) if self.output == "linear" else observed_dim


class VAE0Settings(OneVarianceSettings):
    """The negative control: the decoder variance is fixed, so the gap does not close."""

    implementation = "entropy_sums.models.gaussian_vae:vae0"

    decoder_std: Packed[PositiveFloat] = 1.0
    """The fixed standard deviation σ of the decoder."""


class VAE1Settings(OneVarianceSettings):
    """Standard normal prior, one learned decoder variance."""

    implementation = "entropy_sums.models.gaussian_vae:vae1"

    initial_std: Packed[PositiveFloat] = 1.0
    """Decoder standard deviation σ at the start."""


class VAE2Settings(VAE1Settings):
    """Learned prior variances; the first decoder layer has unit columns."""

    implementation = "entropy_sums.models.gaussian_vae:vae2"

    unit_columns: Literal["parametrise", "renormalise"] = "parametrise"
    """`parametrise` divides by the norm in the forward pass, `renormalise` after each update."""


class VAE3Settings(GaussianSettings):
    """Standard normal prior, one decoder variance per data dimension that depends on the latent."""

    implementation = "entropy_sums.models.gaussian_vae:vae3"


KERNEL = 4
"""Pixels of a side of a kernel that halves or doubles the side of images exactly."""


class ConvVAESettings(VAESettings):
    """VAE-1 with convolutional encoder and decoder, for square images."""

    implementation = "entropy_sums.models.conv_vae:conv_vae"

    channels: PositiveInt = 1
    """Colours of a pixel: 1 for grey images, 3 for CelebA."""
    width: PositiveInt = 32
    """Feature maps after the first convolution; each further one doubles their number."""
    depth: PositiveInt = 2
    """Convolutions of the encoder, each of which halves the side of the images, and as many of the decoder."""
    activation: Activation = "relu"
    """Nonlinearity of all hidden layers."""
    variance_head: VarianceHead = "log_variance"
    """How variance outputs and free parameters become standard deviations."""
    output: Literal["linear", "sigmoid"] = "linear"
    """What the mean of the observation is of the last layer; `sigmoid` keeps it between 0 and 1."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Decoder standard deviation σ at the start."""

    @property
    def maps(self) -> list[int]:
        """Feature maps after each convolution.

        Example:
            >>> ConvVAESettings(width=8, depth=3).maps
            [8, 16, 32]
        """
        return [self.width * 2**layer for layer in range(self.depth)]

    def weights(self, observed_dim: int) -> int:
        """A weight of a convolution multiplies once for every pixel of the smaller image."""
        pixels = [observed_dim / self.channels / 4**layer for layer in range(1, self.depth + 1)]
        convolutions = sum(size * after for size, after in zip(self._kernels, pixels, strict=True))
        return round(2 * convolutions + self._heads(observed_dim))

    def parameters(self, observed_dim: int) -> int:
        return round(2 * sum(self._kernels) + self._heads(observed_dim))

    @property
    def _kernels(self) -> list[int]:
        return [KERNEL**2 * a * b for a, b in pairwise([self.channels, *self.maps])]

    def _heads(self, observed_dim: int) -> float:
        """Weights between the smallest images and the latents: mean, variance and the first layer of the decoder."""
        return 3 * self.latent_dim * self.maps[-1] * observed_dim / self.channels / 4**self.depth


class BernoulliVAESettings(NetworkSettings):
    """Standard normal prior, Bernoulli decoder for binary data."""

    implementation = "entropy_sums.models.bernoulli_vae:bernoulli_vae"
    support = "binary"


class PoissonVAESettings(NetworkSettings):
    """Standard normal prior, Poisson decoder for counts, log rates linear in the last layer."""

    implementation = "entropy_sums.models.poisson_vae:poisson_vae"
    support = "counts"

    observation_entropy: Literal["pseudo", "true"] = "pseudo"
    """`pseudo` entropies with the mean log base measure, which the elbo meets at stationary points, or the `true`
    ones, which it does not."""


class MixtureSettings(ModelSettings):
    """What all mixtures have in common: learned mixing weights and the exact posterior."""

    latent_dim: Annotated[int, Field(ge=2)] = 2
    """Number K of components."""

    def weights(self, observed_dim: int) -> int:
        return observed_dim * self.latent_dim


class GaussianMixtureSettings(MixtureSettings):
    """Normal components; where one of them shrinks to a point, the likelihood has no bound."""

    implementation = "entropy_sums.models.mixtures:gaussian_mixture"

    covariance: Literal["scalar", "diagonal", "full"] = "diagonal"
    """Covariance of every component."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Standard deviation of every component at the start."""

    def weights(self, observed_dim: int) -> int:
        return self.latent_dim * observed_dim * (observed_dim + 1 if self.covariance == "full" else 2)


class PoissonMixtureSettings(MixtureSettings):
    """Poisson components for counts."""

    implementation = "entropy_sums.models.mixtures:poisson_mixture"
    support = "counts"

    observation_entropy: Literal["pseudo", "true"] = "pseudo"
    """`pseudo` entropies with the mean log base measure, which the elbo meets at stationary points, or the `true`
    ones, which it does not."""


class BernoulliMixtureSettings(MixtureSettings):
    """Bernoulli components for binary data."""

    implementation = "entropy_sums.models.mixtures:bernoulli_mixture"
    support = "binary"


class ExponentialMixtureSettings(MixtureSettings):
    """Exponential components for data that are not negative."""

    implementation = "entropy_sums.models.mixtures:exponential_mixture"
    support = "nonnegative"


class GammaMixtureSettings(MixtureSettings):
    """Gamma components for positive data; where one of them shrinks to a point, the likelihood has no bound."""

    implementation = "entropy_sums.models.mixtures:gamma_mixture"
    support = "positive"

    def weights(self, observed_dim: int) -> int:
        return 2 * super().weights(observed_dim)


class FactorAnalysisSettings(ModelSettings):
    """Linear decoder with the exact posterior; with scalar noise it is probabilistic PCA."""

    implementation = "entropy_sums.models.factor_analysis:FactorAnalysis"

    noise: Literal["scalar", "diagonal"] = "diagonal"
    """One standard deviation for all dimensions of the data, or one for each."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Standard deviations of the noise at the start."""


class SparseCodingSettings(ModelSettings):
    """Laplace prior with learned scales, linear decoder with columns of norm one, one learned variance."""

    implementation = "entropy_sums.models.sparse_coding:sparse_coding"

    prior: Literal["learned", "fixed"] = "learned"
    """Scales of the latents: with `fixed`, the negative control, the gap of the prior does not close."""
    prior_scale: Packed[PositiveFloat] = 1.0
    """Scale λ of every latent, at the start or for good."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Standard deviation σ of the observation at the start."""
    posterior: Literal["amortised", "diagonal", "full"] = "amortised"
    """Normal, from a network, or the best one of every point with a `diagonal` or `full` covariance, which is searched
    for at every step: for few latents, as it costs as much as their number cubed."""
    encoder_width: PositiveInt = 50
    """Units per hidden layer of the network of an `amortised` posterior."""
    encoder_depth: NonNegativeInt = 2
    """Number of its hidden layers."""
    activation: Activation = "relu"
    """Nonlinearity of its hidden layers."""
    variance_head: VarianceHead = "log_variance"
    """How its variance outputs become standard deviations."""
    objective: Literal["elbo", "entropy"] = "elbo"
    """What training ascends: the `elbo`, or the `entropy` sum with σ² and λ solved for on the points of each step."""
    averaging: Packed[Annotated[float, Field(ge=0, lt=1)]] = 0.0
    """With `objective: entropy`, weight of the past in σ² and λ, which minibatches want near 1: else they are those of
    the last one."""
    dictionary: Literal["learned", "true"] = "learned"
    """The weights W: learned, or held at those that the data were drawn with, as a reference."""

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

    def weights(self, observed_dim: int) -> int:
        encoder = [observed_dim, *[self.encoder_width] * self.encoder_depth, 2 * self.latent_dim]
        # The search takes about 20 steps, each with a factorisation and an inverse for every point
        search = 20 * (self.latent_dim**3 + self.latent_dim**2)
        inference = sum(a * b for a, b in pairwise(encoder)) if self.posterior == "amortised" else search
        return 2 * observed_dim * self.latent_dim + inference


ENUMERABLE_LATENTS = 12
"""Binary latents over all states of which is summed where exact values are asked for: 4096 states."""

ENUMERABLE_UNITS = 16
"""Most units of a layer of a Boltzmann machine all of whose states are gone through."""


class BeliefNetworkSettings(ModelSettings):
    """What all belief networks have in common: layers of `latent_dim` binary latents, Bernoulli observation."""

    support = "binary"

    depth: PositiveInt = 1
    """Number of layers of latents."""
    encoder_width: PositiveInt = 50
    """Units per deterministic hidden layer of the inference network of every layer of latents."""
    encoder_depth: NonNegativeInt = 1
    """Deterministic hidden layers of every inference network."""
    decoder_width: PositiveInt = 50
    """Units per deterministic hidden layer between two layers of latents, and before the observation."""
    decoder_depth: NonNegativeInt = 0
    """Deterministic hidden layers of every conditional of the model; 0 makes its logits linear."""
    activation: Activation = "relu"
    """Nonlinearity of all deterministic hidden layers."""
    estimator: Literal["disarm", "reinforce", "vimco", "wake_sleep", "enumeration"] = "disarm"
    """Of the gradient in training. `enumeration` is exact, in the trace too, up to 12 latents; `reinforce` and `vimco`
    need `samples: 2` or more, and `vimco` ascends the importance-weighted bound; `wake_sleep` has that of the ELBO for
    the model only, and fits the inference networks to what the model dreams."""

    @model_validator(mode="after")
    def _enumerable(self):
        latents = self.directed * self.latent_dim
        if self.estimator == "enumeration" and latents > ENUMERABLE_LATENTS:
            raise ValueError(
                f"estimator: enumeration sums over all states of at most {ENUMERABLE_LATENTS} latents, and directed "
                f"layers × latent_dim is {latents}; lower one of them, or choose estimator: disarm"
            )
        return self

    @property
    def directed(self) -> int:
        """Number of directed layers, each with an inference network."""
        return self.depth

    @property
    def ascends_elbo(self) -> bool:
        """With `wake_sleep` those of the model's own parameters are, and along these the certificates go."""
        return super().ascends_elbo and self.estimator != "vimco"

    @property
    def least_samples(self) -> int:
        """Two for a baseline that leaves one out."""
        return 2 if self.estimator in ("reinforce", "vimco") else 1

    def weights(self, observed_dim: int) -> int:
        sizes = [observed_dim, *[self.latent_dim] * self.directed]
        encoder, decoder = [self.encoder_width] * self.encoder_depth, [self.decoder_width] * self.decoder_depth
        networks = [network for a, b in pairwise(sizes) for network in ([a, *encoder, b], [b, *decoder, a])]
        return sum(a * b for network in networks for a, b in pairwise(network))


class SBNSettings(BeliefNetworkSettings):
    """Sigmoid belief network: layers of binary latents for binary data."""

    implementation = "entropy_sums.models.sbn:sbn"

    prior: Literal["learned", "uniform", "fixed"] = "learned"
    """Of the highest layer: with `fixed`, the negative control, its gap does not close."""
    prior_mean: Packed[Annotated[float, Field(gt=0, lt=1)]] = 0.2
    """Probability of a one in a `fixed` prior."""


class BoltzmannSettings(ModelSettings):
    """What all restricted Boltzmann machines have in common: how their likelihood is followed."""

    gradient: Literal["exact", "cd", "pcd", "parallel_tempering"] = "pcd"
    """Of the log-likelihood: `exact` over all states of a layer of at most 16 units, or estimated with samples from
    chains of `gibbs_steps`: `cd` begins them at the data, `pcd` goes on with persistent ones, `parallel_tempering` with
    persistent ones at several temperatures that swap their states, which mix better and cost so many times more."""
    gibbs_steps: PositiveInt = 1
    """Gibbs steps k per update of CD-k, PCD-k and parallel tempering."""
    ladder: Annotated[int, Field(ge=2)] = 10
    """Temperatures of parallel tempering, at equal distances from the machine to the machine without its weights."""
    chains: Annotated[int, Field(ge=2)] = 100
    """Persistent chains, and chains of annealed importance sampling where no layer is small enough to enumerate."""
    temperatures: PositiveInt = 1000
    """Temperatures of annealed importance sampling, which traces need where no layer is small enough to enumerate."""
    centred: bool = True
    """Whether visible and hidden units are taken relative to their means, which makes the gradient better behaved."""

    @property
    def ascends_elbo(self) -> bool:
        return self.gradient != "cd"

    @property
    def levels(self) -> int:
        """Temperatures that there are persistent chains at."""
        return self.ladder if self.gradient == "parallel_tempering" else 1

    def weights(self, observed_dim: int) -> int:
        visible, hidden = self._sides(observed_dim)
        # All states of a layer are as many points as so many batches of 100
        states = 2 ** min(visible, hidden) // 100
        steps = states if self.gradient == "exact" else self.gibbs_steps * self.levels
        return (1 + steps) * visible * hidden

    def _sides(self, observed_dim: int) -> tuple[int, int]:
        """Units of the two layers that the weights are between."""
        return observed_dim, self.latent_dim


class RBMSettings(BoltzmannSettings):
    """Restricted Boltzmann machine for binary data."""

    implementation = "entropy_sums.models.rbm:rbm"
    support = "binary"


class GaussianRBMSettings(BoltzmannSettings):
    """Restricted Boltzmann machine with normal visible units of learned variances."""

    implementation = "entropy_sums.models.rbm:gaussian_rbm"


class DBNSettings(BeliefNetworkSettings, BoltzmannSettings):
    """Deep belief network: the two highest layers are a restricted Boltzmann machine, directed layers lie below."""

    implementation = "entropy_sums.models.dbn:dbn"

    depth: Annotated[int, Field(ge=2)] = 2
    """Number of layers of latents, both layers of the Boltzmann machine among them."""
    encoder_depth: NonNegativeInt = 0
    """Deterministic hidden layers of every inference network; 0 makes its logits linear."""
    pretraining_steps: NonNegativeInt = 0
    """Steps at the start of training that every layer has to itself, from the lowest one up to the Boltzmann machine:
    a directed layer learns by CD-k, with the same weights in both directions. 0 does without."""

    @model_validator(mode="after")
    def _together(self):
        if self.estimator == "enumeration" and self.gradient != "exact":
            raise ValueError(
                f"estimator: enumeration has no use for gradient: {self.gradient}, as all states are at hand; write "
                "gradient: exact"
            )
        if self.pretraining_steps and (self.encoder_depth or self.decoder_depth or self.estimator == "enumeration"):
            raise ValueError(
                f"pretraining_steps: {self.pretraining_steps} wants layers that are Boltzmann machines, and samples; "
                "write encoder_depth: 0 and decoder_depth: 0, and not estimator: enumeration"
            )
        if self.gradient == "exact" and self.latent_dim > ENUMERABLE_UNITS:
            raise ValueError(
                f"gradient: exact goes through all states of a layer, of at most {ENUMERABLE_UNITS} units; here "
                f"latent_dim is {self.latent_dim}: lower it, or set gradient: pcd"
            )
        return self

    @property
    def directed(self) -> int:
        return self.depth - 1

    @property
    def pretraining(self) -> int:
        return self.depth * self.pretraining_steps

    def weights(self, observed_dim: int) -> int:
        return BeliefNetworkSettings.weights(self, observed_dim) + BoltzmannSettings.weights(self, self.latent_dim)


MEAN_FIELD_STEPS = 10
"""Updates after which a mean-field posterior has usually settled."""


class DBMSettings(BoltzmannSettings):
    """Deep Boltzmann machine for binary data, layers of `latent_dim` hidden units, mean-field posterior."""

    implementation = "entropy_sums.models.dbm:DBM"
    support = "binary"

    depth: Annotated[int, Field(ge=2)] = 2
    """Number of hidden layers."""
    tolerance: PositiveFloat = 1e-5
    """The posterior has settled when no mean moves by more between two updates of its layers."""
    mean_field_steps: PositiveInt = 100
    """Most updates of the posterior per point; a posterior that has not settled by then loosens the bound."""
    pretraining_steps: NonNegativeInt = 0
    """Steps at the start of training that each layer and the next one have to themselves, from the lowest ones up,
    as machines that learn by CD-1. 0 does without."""

    @property
    def pretraining(self) -> int:
        return self.depth * self.pretraining_steps

    def weights(self, observed_dim: int) -> int:
        between, hidden = self._sides(0)
        return super().weights(observed_dim) + 2 * MEAN_FIELD_STEPS * between * hidden

    def _sides(self, observed_dim: int) -> tuple[int, int]:
        return observed_dim + self.depth // 2 * self.latent_dim, (self.depth + 1) // 2 * self.latent_dim


MODELS: dict[str, type[ModelSettings]] = {
    "linear_vae": LinearVAESettings,
    "vae0": VAE0Settings,
    "vae1": VAE1Settings,
    "vae2": VAE2Settings,
    "vae3": VAE3Settings,
    "conv_vae": ConvVAESettings,
    "bernoulli_vae": BernoulliVAESettings,
    "poisson_vae": PoissonVAESettings,
    "gaussian_mixture": GaussianMixtureSettings,
    "poisson_mixture": PoissonMixtureSettings,
    "bernoulli_mixture": BernoulliMixtureSettings,
    "exponential_mixture": ExponentialMixtureSettings,
    "gamma_mixture": GammaMixtureSettings,
    "factor_analysis": FactorAnalysisSettings,
    "sparse_coding": SparseCodingSettings,
    "sbn": SBNSettings,
    "rbm": RBMSettings,
    "gaussian_rbm": GaussianRBMSettings,
    "dbn": DBNSettings,
    "dbm": DBMSettings,
}
