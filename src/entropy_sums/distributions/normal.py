"""The normal distribution: scalar or diagonal (`Normal`) and with full covariance (`FullNormal`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from entropy_sums.distributions.family import Coordinatewise, Family, broadcast_shape, sum_coordinates
from entropy_sums.draws import normal

LOG_2PI = math.log(2 * math.pi)


def squared_error(a: Tensor, b: Tensor) -> Tensor:
    """Squared difference (a − b)², broadcast, in one kernel forward and one backward instead of six."""
    return mse_loss(*torch.broadcast_tensors(a, b), reduction="none")


class Normal(Coordinatewise):
    r"""$\prod_d \mathcal N(x_d; \mu_d, \sigma_d^2)$ over the last axis, from means and $\log\sigma_d$.

    Args:
        mean: `(..., D)`.
        log_std: `(..., D)` for a diagonal covariance, `(..., 1)` for the scalar covariance $\sigma^2 I$.
            It is kept at the shape it was given: one shared scale costs one number.

    Example:
        >>> p = Normal(torch.zeros(1, 3), torch.zeros(1, 1))
        >>> p.entropy()
        tensor([4.2568])
    """

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.loc, self.log_std = mean, log_std
        super().__init__(broadcast_shape(mean.shape, log_std.shape))

    @property
    def mean(self) -> Tensor:
        return self.loc.expand(self._extended_shape())

    @cached_property
    def _std(self) -> Tensor:
        return self.log_std.exp()

    @property
    def variance(self) -> Tensor:
        return self._std.square().expand(self._extended_shape())

    def reparametrise(self, noise: Tensor) -> Tensor:
        """Map standard normal noise `(..., D)` to samples, differentiably."""
        # A shared scale is copied for each point: broadcasting is slower, as only D numbers are contiguous
        return torch.addcmul(self.loc, self._std.expand(self._extended_shape()).contiguous(), noise)

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        return self.reparametrise(normal(self._blank(samples, self.loc), generator))

    def log_prob(self, value: Tensor) -> Tensor:
        squares = squared_error(self.loc, value)
        if self.log_std.shape[-1] == 1:
            squares = squares.sum(-1) * (-2 * self.log_std.squeeze(-1)).exp()
        else:
            squares = (squares * (-2 * self.log_std).exp()).sum(-1)
        dim = max(self.dim, value.shape[-1])
        return -0.5 * squares - sum_coordinates(self.log_std, dim) - 0.5 * dim * LOG_2PI

    def _entropies(self) -> Tensor:
        return 0.5 + 0.5 * LOG_2PI + self.log_std


def cholesky(matrix: Tensor) -> Tensor:
    """Lower triangular Cholesky factor of every matrix `(..., D, D)`, NaN where there is none.

    No error is raised, so that one diverged replica does not end its pack.

    Example:
        >>> cholesky(torch.tensor([[[4.0]], [[-1.0]]])).flatten()
        tensor([2., nan])
    """
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return torch.where((failed == 0)[..., None, None], factor, torch.nan)


def _of_all_samples(operation: Callable[[Tensor, Tensor], Tensor], matrix: Tensor, samples: Tensor) -> Tensor:
    """Apply `operation` to a matrix `(..., D, D)` and S vectors `(S, ..., D)` at once, without copies of the matrix."""
    return operation(matrix, samples.movedim(0, -1)).movedim(-1, 0)


class FullNormal(Family):
    r"""$\mathcal N(x; \mu, LL^\top)$ with full covariance, from its Cholesky factor.

    Args:
        mean: `(..., D)`.
        scale_tril: `(..., D, D)`, lower triangular with a positive diagonal.

    Example:
        >>> p = FullNormal(torch.zeros(1, 2), torch.eye(2).expand(1, 2, 2))
        >>> p.entropy()
        tensor([2.8379])
    """

    def __init__(self, mean: Tensor, scale_tril: Tensor) -> None:
        self.loc, self.scale_tril = mean, scale_tril
        super().__init__(broadcast_shape(mean.shape, scale_tril.shape[:-1]))

    @property
    def mean(self) -> Tensor:
        return self.loc.expand(self._extended_shape())

    @property
    def variance(self) -> Tensor:
        return self.scale_tril.square().sum(-1).expand(self._extended_shape())

    @property
    def covariance(self) -> Tensor:
        """Covariance matrix, `(..., D, D)`."""
        return self.scale_tril @ self.scale_tril.mT

    @property
    def log_determinant(self) -> Tensor:
        r"""$\tfrac12 \log\det\Sigma$, shape `(...)`."""
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def reparametrise(self, noise: Tensor) -> Tensor:
        """Map standard normal noise `(..., D)`, or `(S, ..., D)`, to samples, differentiably."""
        if noise.ndim == self.scale_tril.ndim:
            return self.loc + _of_all_samples(torch.matmul, self.scale_tril, noise)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        return self.reparametrise(normal(self._blank(samples, self.loc), generator))

    def whiten(self, value: Tensor) -> Tensor:
        """$L^{-1}(x - \\mu)$, shape `(..., D)`."""
        error = value - self.loc
        if error.ndim > 1 and self.scale_tril.ndim > 2 and self.scale_tril.shape[-3] == 1:
            # One covariance for all points: solved for all at once, instead of once for a copy of it per point
            return torch.linalg.solve_triangular(self.scale_tril.squeeze(-3), error.mT, upper=False).mT
        solve = partial(torch.linalg.solve_triangular, upper=False)
        if error.ndim == self.scale_tril.ndim:
            return _of_all_samples(solve, self.scale_tril, error)
        return solve(self.scale_tril, error.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        return -0.5 * self.whiten(value).square().sum(-1) - self.log_determinant - 0.5 * self.dim * LOG_2PI

    def entropy(self) -> Tensor:
        return 0.5 * self.dim * (1 + LOG_2PI) + self.log_determinant
