r"""Parallel tempering: copies of a chain at several temperatures that swap their states.

The chain at inverse temperature $\beta$ samples $f_\beta(s) = g(s)\, e^{\beta I(s)}$ with the interaction $I$: at 1 it
is the model, at 0 independent units, which mix at once. Neighbours swap with the probability

$$\min\bigl(1,\ e^{(\beta_{l+1} - \beta_l)(I(s_l) - I(s_{l+1}))}\bigr),$$

which leaves the product of all $f_\beta$ invariant: states found by hot chains reach the model. Sources: Geyer
(1991); Desjardins, Courville, Bengio, Vincent and Delalleau (AISTATS 2010); Cho, Raiko and Ilin (IJCNN 2010).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def ladder(levels: int) -> Float[Tensor, " levels"]:
    """Inverse temperatures from 1, the model, to 0; one level is the model alone.

    Example:
        >>> ladder(5).tolist(), ladder(1).tolist()
        ([1.0, 0.75, 0.5, 0.25, 0.0], [1.0])
    """
    return torch.linspace(1, 0, levels)


def log_ratios(
    interactions: Float[Tensor, "replica levels chains"], betas: Float[Tensor, " levels"]
) -> Float[Tensor, "replica pairs chains"]:
    """Log ratio of the joint density after and before a swap of levels l and l + 1, `(replica, levels − 1, chains)`.

    Example:
        >>> log_ratios(torch.tensor([[[2.0], [3.0]]]), torch.tensor([1.0, 0.5])).item()
        0.5
    """
    return (betas[1:] - betas[:-1]).unsqueeze(-1) * (interactions[:, :-1] - interactions[:, 1:])


def exchanged(
    interactions: Float[Tensor, "replica levels chains"],
    betas: Float[Tensor, " levels"],
    uniforms: Float[Tensor, "replica pairs chains"],
) -> Int[Tensor, "replica levels chains"]:
    """Original level of the state at each level, after swaps of levels 0 and 1, 2 and 3, … and then 1 and 2, ….

    Args:
        interactions: I of the state at each level.
        betas: inverse temperature of each level.
        uniforms: between 0 and 1, one for every pair of neighbours.

    Example:
        >>> swap = exchanged(torch.tensor([[[2.0], [3.0], [1.0]]]), torch.tensor([1.0, 0.5, 0.0]), torch.ones(1, 2, 1))
        >>> swap.flatten().tolist()
        [1, 0, 2]
    """
    places = torch.arange(len(betas), device=interactions.device).unsqueeze(-1).expand(interactions.shape)
    origin = places
    for first in (0, 1):
        accepted = (uniforms.log() <= log_ratios(interactions, betas)).long()
        accepted[:, 1 - first :: 2] = 0
        source = places.clone()
        source[:, :-1] += accepted
        source[:, 1:] -= accepted
        interactions, origin = interactions.gather(1, source), origin.gather(1, source)
    return origin


def moved(states: Float[Tensor, "replica rows units"], origin: Int[Tensor, "replica levels chains"]) -> Tensor:
    """States of the levels after swaps, `(replica, levels·chains, units)`.

    Args:
        states: states of all levels before the swaps, level by level.
        origin: result of `exchanged`, or its first levels if the others are not needed.

    Example:
        >>> moved(torch.tensor([[[5.0], [6.0]]]), torch.tensor([[[1], [0]]])).flatten()
        tensor([6., 5.])
    """
    chains = origin.shape[-1]
    rows = (origin * chains + torch.arange(chains, device=origin.device)).flatten(1)
    return states.gather(1, rows.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
