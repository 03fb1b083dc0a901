r"""The start of a mixture from its data: centres by k-means++, and the responsibilities of the clusters around them.

The first centre is a point drawn at random. Every further one is drawn with a probability proportional to the squared
distance $D^2$ of a point to its nearest centre; of a few such draws the one that lowers $\sum_n D_n^2$ most is taken.
Distances are those of coordinates in which the spread of a component does not depend on its mean, nor on offsets and
scales of the data. Source: Arthur and Vassilvitskii (SODA 2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

SHARED = 0.1
"""Part of every point that all components share at the start: no rate is zero, and no variance."""

Rows = Float[Tensor, "points dim"]


def responsibilities(
    points: Rows, number: int, generators: Sequence[torch.Generator]
) -> Float[Tensor, "replica points component"]:
    """Responsibilities of clusters around centres by k-means++, `(replica, N, K)`, in float64.

    A point belongs to the nearest centre, except for the part `SHARED`, which it gives to all components alike.

    Args:
        points: in float64, in coordinates that distances are taken in.
        number: number K of clusters.
        generators: one per replica.

    Example:
        >>> points = torch.tensor([[0.0], [0.1], [9.0], [9.1]], dtype=torch.float64)
        >>> first, *_ = responsibilities(points, 2, [torch.Generator().manual_seed(0)])
        >>> first[:, first[0].argmax()]
        tensor([0.9500, 0.9500, 0.0500, 0.0500], dtype=torch.float64)
    """
    nearest = _distances(points, centres(points, number, generators)).argmin(1)
    return (1 - SHARED) * one_hot(nearest, number).to(points) + SHARED / number


def centres(points: Rows, number: int, generators: Sequence[torch.Generator]) -> Int[Tensor, "replica component"]:
    """Indices of the points that k-means++ takes as centres, `(replica, K)`; each replica has its own generator.

    Args:
        points, number, generators: as for `responsibilities`.

    Example:
        >>> points = torch.tensor([[0.0], [0.0], [0.0], [7.0]], dtype=torch.float64)
        >>> centres(points, 2, [torch.Generator().manual_seed(0)]).sort().values[:, 1]
        tensor([3])
    """
    # The number of draws per centre is that of scikit-learn
    trials = 2 + int(math.log(number))
    draws = torch.stack([torch.rand(number, trials, dtype=torch.float64, generator=g) for g in generators])
    draws = draws.to(points.device)
    chosen = [(draws[:, 0, 0] * len(points)).long()]
    closest = _distances(points, chosen[0].unsqueeze(1)).squeeze(1)
    for turn in range(1, number):
        # Where every point is a centre already, any point does
        weights = torch.where(closest.sum(1, keepdim=True) > 0, closest, 1).cumsum(1)
        candidates = torch.searchsorted(weights, draws[:, turn] * weights[:, -1:], right=True)
        candidates = candidates.clamp(max=len(points) - 1)
        after = torch.minimum(closest.unsqueeze(1), _distances(points, candidates))
        best = after.sum(2).argmin(1, keepdim=True)
        chosen.append(candidates.gather(1, best).squeeze(1))
        closest = torch.take_along_dim(after, best.unsqueeze(2), 1).squeeze(1)
    return torch.stack(chosen, dim=1)


def _distances(points: Rows, chosen: Int[Tensor, "replica centre"]) -> Float[Tensor, "replica centre points"]:
    """Squared distances of all points to the chosen ones."""
    squares = points.square().sum(1)
    return (squares[chosen].unsqueeze(2) + squares - 2 * points[chosen] @ points.T).clamp(min=0)


def constant(x: Rows) -> Tensor:
    """Whether a dimension has one value only, `(D,)`."""
    return x.amax(0) == x.amin(0)


def centred(x: Rows) -> Rows:
    """Coordinates for normals with one variance for all dimensions: the points around their mean."""
    return x - x.mean(0)


def standardised(x: Rows) -> Rows:
    """Coordinates with mean 0 and standard deviation 1 in every dimension; 0 where a dimension is constant.

    Example:
        >>> standardised(torch.tensor([[1e4, 5.0], [3e4, 5.0]]))
        tensor([[-1.,  0.],
                [ 1.,  0.]])
    """
    y = torch.where(constant(x), 0, centred(x))
    return y / torch.where(constant(x), 1, y.std(0, correction=0))


def logarithms(x: Rows) -> Rows:
    r"""Coordinates $\log(x_d + g_d / 10)$ with the geometric mean $g_d$ of what is positive, for any scale.

    An exponential of any rate has the same variance in them. The second term bounds the tail of small values, and
    admits zeros.

    Example:
        >>> small, large = (torch.tensor([[scale, 0.0], [100 * scale, 0.0]]) for scale in (1e-3, 1.0))
        >>> logarithms(small).allclose(logarithms(large), atol=1e-5)
        True
    """
    positive = x > 0
    logs = torch.where(positive, x, 1).log().sum(0) / positive.sum(0).clamp(min=1)
    return centred((x + torch.where(positive.any(0), logs.exp(), 1) / 10).log())
