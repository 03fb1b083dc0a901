"""Data drawn from belief networks and Boltzmann machines of known weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from entropy_sums.data.base import LatentSettings, Positive, Probability
from entropy_sums.data.draw import Draw, in_parts
from entropy_sums.data.truths import Truth, given_logits, given_means, independent, marginal, states


class BeliefNetwork(LatentSettings):
    """A sigmoid belief network with one layer of binary latents."""

    name = "belief_network"
    source = "generated"
    numbers = "binary"

    probability: Probability = 0.3
    """Probability of each latent."""
    strength: Positive = 3.0
    """Standard deviation of the weights."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""A sigmoid belief network: $z_h \sim B(\pi)$, $x_d \sim B(\mathrm{sigmoid}(w_d^\top z + b_d))$.

        The truth is `weights` W (D, H) with $W_{dh} \sim N(0, s^2)$, `offset` $b = -W\mathbf 1 \pi$, and the
        `probability` π. With this offset no pixel is always on or always off.

        Example:
            >>> arrays = BeliefNetwork(train=10, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, set(np.unique(arrays["train"]).tolist())
            ((10, 16), {0.0, 1.0})
        """
        from scipy.special import expit

        truth, points = generator.spawn(2)
        weights = truth.normal(0, self.strength, (self.dim, self.true_latent_dim))
        offset = -self.probability * weights.sum(axis=1)

        def drawn(count: int, part: np.random.Generator) -> np.ndarray:
            latents = part.random((count, self.true_latent_dim)) < self.probability
            return (part.random((count, self.dim)) < expit(latents @ weights.T + offset)).astype(float)

        truth = {"weights": weights, "offset": offset, "probability": np.array(self.probability)}
        return in_parts(self, points, drawn, truth)

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        z, log_prior = independent(truth)
        return marginal(given_logits(x, truth["offset"] + z @ truth["weights"].T), log_prior)


class MachineSettings(LatentSettings):
    """A Boltzmann machine with few hidden units, so that sums over all their states are exact."""

    source = "generated"
    numbers = "binary"

    true_latent_dim: Annotated[int, Field(ge=1, le=16)] = 4
    """Number of hidden units, whose states are all summed over."""
    strength: Positive = 2.0
    """Standard deviation of the weights."""


class BoltzmannMachine(MachineSettings):
    """A restricted Boltzmann machine, drawn from exactly."""

    name = "boltzmann_machine"
    label = "Boltzmann machine"

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""A restricted Boltzmann machine, $p(v, h) \propto \exp(b^\top v + (v - \frac12)^\top W (h - \frac12))$.

        Draws are exact: h from all its states, then v given h. The truth is `weights` W (D, H) with
        $W_{dh} \sim N(0, s^2)$ and `offset` b (D,) with $b_d \sim N(0, 1/4)$.

        Example:
            >>> arrays = BoltzmannMachine(train=10, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, arrays["truth"]["weights"].shape
            ((10, 16), (16, 4))
        """
        hidden, truth, points = _hidden_states(self, generator)
        return in_parts(self, points, _given_states(hidden, hidden.log_mass, _binary), truth)

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        hidden = hidden_states(truth)
        return marginal(given_logits(x, hidden.inputs), hidden.log_mass)


class DeepSettings(MachineSettings):
    """A second layer of latents above the first one."""

    upper_latent_dim: Annotated[int, Field(ge=1, le=16)] = 4
    """Number of units of the higher layer."""


class DeepBoltzmannMachine(DeepSettings):
    """A Boltzmann machine with two layers of hidden units, drawn from exactly."""

    name = "deep_boltzmann_machine"
    label = "deep Boltzmann machine"

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Two layers of hidden units: $p(v, h, g) \propto \exp(b^\top v + (v - \frac12)^\top W (h - \frac12)
        + (h - \frac12)^\top U (g - \frac12))$.

        Draws are exact, as for `boltzmann_machine`. The truth also has `upper_weights` U (H, G) with
        $U_{hg} \sim N(0, s^2)$.

        Example:
            >>> arrays = DeepBoltzmannMachine(train=10, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, arrays["truth"]["upper_weights"].shape
            ((10, 16), (4, 4))
        """
        hidden, truth, points = _hidden_states(self, generator)
        truth |= _above(self, generator)
        log_mass = hidden.log_mass + log_mass_above(hidden, truth)
        return in_parts(self, points, _given_states(hidden, log_mass, _binary), truth)

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        hidden = hidden_states(truth)
        return marginal(given_logits(x, hidden.inputs), hidden.log_mass + log_mass_above(hidden, truth))


class DeepBeliefNetwork(DeepSettings):
    """A restricted Boltzmann machine of two layers of latents, with a directed layer from the lower one to the data."""

    name = "deep_belief_network"

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""A machine $p(h, g) \propto \exp((h - \frac12)^\top U (g - \frac12))$ over a layer $v_d \sim
        B(\mathrm{sigmoid}(b_d + w_d^\top (h - \frac12)))$.

        Draws are exact, and the truth is as for `deep_boltzmann_machine`.

        Example:
            >>> DeepBeliefNetwork(train=10, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (10, 16)
        """
        hidden, truth, points = _hidden_states(self, generator)
        truth |= _above(self, generator)
        return in_parts(self, points, _given_states(hidden, log_mass_above(hidden, truth), _binary), truth)

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        hidden = hidden_states(truth)
        return marginal(given_logits(x, hidden.inputs), log_mass_above(hidden, truth))


class GaussianBoltzmannMachine(MachineSettings):
    """A restricted Boltzmann machine with normal visible units, drawn from exactly."""

    name = "gaussian_boltzmann_machine"
    label = "Gaussian Boltzmann machine"
    numbers = "real"

    strength: Positive = 0.3
    """Standard deviation of the weights."""
    noise: Positive = 0.5
    """Standard deviation of every visible unit given the hidden ones."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Normal visible units: $p(v, h) \propto \exp(-\lVert v - b \rVert^2 / 2\sigma^2 + v^\top W (h - \frac12) /
        \sigma^2)$, so that $v$ given $h$ has the mean $b + W (h - \frac12)$.

        Draws are exact, and the truth is as for `boltzmann_machine`, with `noise` σ.

        Example:
            >>> self = GaussianBoltzmannMachine(train=10, test=5)
            >>> self.arrays(Path(), np.random.default_rng(0))["train"].shape
            (10, 16)
        """
        hidden, truth, points = _hidden_states(self, generator)
        truth |= {"noise": np.array(self.noise)}

        def normal(inputs: np.ndarray, part: np.random.Generator) -> np.ndarray:
            return inputs + self.noise * part.standard_normal(inputs.shape)

        return in_parts(self, points, _given_states(hidden, gaussian_log_mass(hidden, self.noise), normal), truth)

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        hidden = hidden_states(truth)
        return marginal(given_means(x, hidden.inputs, truth["noise"]), gaussian_log_mass(hidden, truth["noise"]))


Visible = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Function that draws a point for every row of means or inputs, (count, D)."""


def _hidden_states(
    settings: MachineSettings, generator: np.random.Generator
) -> tuple[HiddenStates, dict, np.random.Generator]:
    """The hidden states under random weights and offsets, the truth with both, and the generator of points."""
    source, points = generator.spawn(2)
    weights = source.normal(0, settings.strength, (settings.dim, settings.true_latent_dim))
    truth = {"weights": weights, "offset": source.normal(0, 0.5, settings.dim)}
    return hidden_states(truth), truth, points


def _above(settings: DeepSettings, generator: np.random.Generator) -> dict:
    """Truth of a higher layer."""
    (source,) = generator.spawn(1)
    shape = settings.true_latent_dim, settings.upper_latent_dim
    return {"upper_weights": source.normal(0, settings.strength, shape)}


def _given_states(hidden: HiddenStates, log_mass: np.ndarray, visible: Visible) -> Draw:
    """Function that draws states with these masses, and a point given each."""
    from scipy.special import softmax

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        chosen = part.choice(len(log_mass), size=count, p=softmax(log_mass))
        return visible(hidden.inputs[chosen], part)

    return drawn


def _binary(logits: np.ndarray, part: np.random.Generator) -> np.ndarray:
    from scipy.special import expit

    return (part.random(logits.shape) < expit(logits)).astype(float)


class HiddenStates(NamedTuple):
    """All states of the hidden units, and the inputs of the visible units; machines are relative to ½.

    Attributes:
        states: every state h, (2^H, H).
        inputs: $b + W(h - 1/2)$ of every state, (2^H, D).
        log_mass: log of the sum over all binary visible units, for every state, (2^H,).
    """

    states: np.ndarray
    inputs: np.ndarray
    log_mass: np.ndarray


def hidden_states(truth: Truth) -> HiddenStates:
    """Every state of the hidden units under these `weights` (D, H) and this `offset` (D,).

    Example:
        >>> hidden_states({"weights": np.ones((3, 1)), "offset": np.zeros(3)}).inputs
        array([[-0.5, -0.5, -0.5],
               [ 0.5,  0.5,  0.5]])
    """
    every = states(truth["weights"].shape[1])
    coupled = (every - 0.5) @ truth["weights"].T
    inputs = truth["offset"] + coupled
    # The sum over v of e^(inputs · v), the rest of the exponent does not depend on v
    return HiddenStates(every, inputs, np.logaddexp(0, inputs).sum(axis=1) - 0.5 * coupled.sum(axis=1))


def log_mass_above(hidden: HiddenStates, truth: Truth) -> np.ndarray:
    """Term that the sum over a higher layer with `upper_weights` (H, G) adds to each state's log mass, (2^H,)."""
    inputs = (hidden.states - 0.5) @ truth["upper_weights"]
    return np.logaddexp(0.5 * inputs, -0.5 * inputs).sum(axis=1)


def gaussian_log_mass(hidden: HiddenStates, noise: np.ndarray | float) -> np.ndarray:
    """Log mass of every state, (2^H,): log of the integral over normal visible units of this standard deviation."""
    return (hidden.inputs**2).sum(axis=1) / (2 * noise**2)
