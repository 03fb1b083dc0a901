r"""Gradient estimators for expectations over vectors of Bernoulli variables, which cannot be reparametrised.

For $\mathbb E_q[f(z)]$ with $q = \prod_h \mathrm{Bern}(z_h; \mathrm{sigmoid}(a_h))$: exact sums over all states, and
unbiased estimates from samples. `reinforce` and `disarm` return zeros with a gradient. Added to samples of f, these
make the gradient of the mean an estimate of the gradient of the expectation. `zero_with_slope` returns such a zero for
any known gradient.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import logsigmoid


def all_states(size: int, like: Tensor) -> Float[Tensor, "states size"]:
    """Every vector of zeros and ones, `(2**size, size)`, of the type and device of `like`.

    Example:
        >>> all_states(2, torch.zeros(1)).tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    places = torch.arange(size, device=like.device)
    return (torch.arange(2**size, device=like.device).unsqueeze(-1) >> places).bitwise_and(1).to(like)


def log_probs(logits: Float[Tensor, "*l rows size"], states: Float[Tensor, "*s states size"]) -> Tensor:
    r"""$\log \prod_h \mathrm{Bern}(z_{kh}; \mathrm{sigmoid}(a_{mh}))$ of every state k under every row m, in nats.

    Shapes: `(…, M, H)` and `(…, K, H)` → `(…, M, K)`, by one matrix product.

    Example:
        >>> log_probs(torch.zeros(3, 2), torch.ones(1, 2)).exp().flatten()
        tensor([0.2500, 0.2500, 0.2500])
    """
    return logits @ states.mT + logsigmoid(-logits).sum(-1, keepdim=True)


def uniform(noise: Tensor) -> Tensor:
    """Map standard normal numbers to uniform ones, by the normal distribution function.

    Example:
        >>> uniform(torch.zeros(1))
        tensor([0.5000])
    """
    return torch.special.ndtr(noise)


def states(logits: Tensor, uniforms: Tensor) -> Tensor:
    r"""$z_h = [u_h < \mathrm{sigmoid}(a_h)]$ for uniform u; 1 − u gives the antithetic state.

    Example:
        >>> states(torch.tensor([2.0, -2.0]), torch.tensor([0.5, 0.5]))
        tensor([1., 0.])
    """
    return (uniforms < logits.sigmoid()).to(logits)


def leave_one_out(values: Float[Tensor, "samples ..."]) -> Float[Tensor, "samples ..."]:
    """Mean of the other samples, for every sample, `(S, …)`.

    Raises:
        ValueError: there is only one sample.

    Example:
        >>> leave_one_out(torch.tensor([1.0, 2.0, 6.0]))
        tensor([4.0000, 3.5000, 1.5000])
    """
    samples = len(values)
    if samples < 2:
        raise ValueError(
            "a leave-one-out baseline needs at least 2 posterior samples per point; set samples: 2 or more in every "
            "phase of training, or choose estimator: disarm"
        )
    return (values.sum(0) - values) / (samples - 1)


def reinforce(values: Float[Tensor, "samples ..."], log_q: Float[Tensor, "samples ..."]) -> Tensor:
    r"""Zeros `(S, …)` with the score-function gradient; the baseline of a sample is the mean of the others.

    $$\nabla \mathbb E_q[f] \approx
      \frac1S \sum_s \Bigl(f_s - \frac1{S-1} \sum_{t \neq s} f_t\Bigr) \nabla \log q(z_s)$$

    Unbiased for any number $S \ge 2$ of independent samples. Source: Williams (Machine Learning 1992), with
    the baseline of Kool, van Hoof and Welling (ICLR workshop 2019).

    Args:
        values: f of each sample.
        log_q: its log-probability, differentiable.

    Raises:
        ValueError: there is one sample only.

    Example:
        >>> logit = torch.zeros(1, requires_grad=True)
        >>> log_q = torch.nn.functional.logsigmoid(torch.cat([logit, -logit]))
        >>> reinforce(torch.tensor([3.0, 1.0]), log_q).mean().backward()
        >>> logit.grad
        tensor([1.])
    """
    return _gradient_only((values - leave_one_out(values)).detach() * log_q)


def vimco(log_weights: Float[Tensor, "samples ..."], log_q: Float[Tensor, "samples ..."]) -> Tensor:
    r"""Importance-weighted bound `(…)` of S samples in nats, with an unbiased estimate of its gradient.

    $$\hat L = \log \frac1S \sum_s w_s, \qquad
      \nabla \mathbb E[\hat L] \approx \sum_s \bigl(\hat L - \hat L_{-s}\bigr) \nabla \log q(z_s)
      + \sum_s \frac{w_s}{\sum_t w_t} \nabla \log w_s$$

    where $\hat L_{-s}$ has the geometric mean of the other weights in place of $w_s$. The mean of $\hat L$ is
    no less than the ELBO and has other stationary points. Source: Mnih and Rezende (ICML 2016).

    Args:
        log_weights: $\log w_s = \log p(x, z_s) - \log q(z_s)$, differentiable.
        log_q: $\log q(z_s)$, differentiable.

    Raises:
        ValueError: there is one sample only.

    Example:
        >>> vimco(torch.tensor([0.0, 0.0]), torch.tensor([-1.0, -1.0]))
        tensor(0.)
    """
    samples = len(log_weights)
    bound = log_weights.logsumexp(0) - math.log(samples)
    others = leave_one_out(log_weights).unsqueeze(1)
    itself = torch.eye(samples, dtype=torch.bool, device=log_weights.device)
    itself = itself.reshape(samples, samples, *[1] * (log_weights.ndim - 1))
    without = torch.where(itself, others, log_weights.unsqueeze(0)).logsumexp(1) - math.log(samples)
    return bound + _gradient_only((bound - without).detach() * log_q).sum(0)


def disarm(difference: Tensor, state: Tensor, antithetic: Tensor, logits: Tensor) -> Tensor:
    r"""Zeros `(…)` with the gradient estimate (DisARM) of an antithetic pair of states z, z̃.

    $$\frac{\partial \mathbb E_q[f]}{\partial a_h} \approx
      \tfrac12 \bigl(f(z) - f(\tilde z)\bigr) (z_h - \tilde z_h)\, \mathrm{sigmoid}(|a_h|)$$

    Unbiased with $z_h = [u_h < \mathrm{sigmoid}(a_h)]$ and $\tilde z_h = [1 - u_h < \mathrm{sigmoid}(a_h)]$. It is the
    ARM estimator (Yin and Zhou, ICLR 2019) averaged over all u that give the same z and z̃, which reduces its variance.
    Source: Dong, Mnih and Tucker (NeurIPS 2020).

    Args:
        difference: $f(z) - f(\tilde z)$.
        state, antithetic: z and z̃, `(…, H)`.
        logits: a, broadcastable to `(…, H)`, differentiable.

    Example:
        >>> logits = torch.zeros(2, requires_grad=True)
        >>> disarm(torch.tensor(8.0), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0]), logits).backward()
        >>> logits.grad
        tensor([2., 0.])
    """
    gradient = 0.5 * difference.unsqueeze(-1) * (state - antithetic) * logits.abs().sigmoid()
    return _gradient_only((gradient.detach() * logits).sum(-1))


def zero_with_slope(parameter: Tensor, slope: Tensor) -> Float[Tensor, " replica"]:
    r"""Zeros whose gradient by the parameter is the slope: $\sum (\theta - \theta_0) \odot s$ at $\theta_0$.

    It serves gradients that are known before anything is differentiated; the slope is `(replica, …)` like the
    parameter. It is a custom autograd function because computing the sum would cost two needless passes over both.

    Example:
        >>> parameter = torch.ones(2, 3, requires_grad=True)
        >>> (torch.tensor([1.0, -2.0]) @ zero_with_slope(parameter, torch.arange(6.0).view(2, 3))).backward()
        >>> parameter.grad
        tensor([[  0.,   1.,   2.],
                [ -6.,  -8., -10.]])
    """
    return _ZeroWithSlope.apply(parameter, slope)


class _ZeroWithSlope(Function):
    @staticmethod
    def forward(ctx: Any, parameter: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return parameter.new_zeros(len(parameter))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return slope * gradient.view(-1, *[1] * (slope.ndim - 1)), None


def _gradient_only(value: Tensor) -> Tensor:
    return value - value.detach()
