"""What tests of belief networks have in common: random networks, and all that their noise can do."""

import itertools

import numpy as np
import torch
from scipy.special import expit, ndtri
from scipy.stats import bernoulli

from entropy_sums.certificates.certificate import randomised
from entropy_sums.models import MODELS, build
from entropy_sums.models.model import copies

DIM, LATENTS, POINTS = 4, 2, 5
LINEAR = {"encoder_depth": 0, "decoder_depth": 0}


def random_network(name, replicas=2, seed=0, dim=DIM, **settings):
    """A network with well spread random parameters."""
    source = torch.Generator().manual_seed(seed)
    model = build([MODELS[name](**{"latent_dim": LATENTS, **settings})] * replicas, dim, [source] * replicas)
    return randomised(model, source)


def data(points=POINTS, seed=1, dim=DIM):
    return torch.rand(points, dim, generator=torch.Generator().manual_seed(seed)).round()


def noises(model, rows, seed=2):
    return torch.randn(model.replicas, rows, model.noise_dim, generator=torch.Generator().manual_seed(seed))


def probabilities(model, networks, layer, replica, values):
    """Of ones, by hand: what conditional number `layer` says about the next layer, `(…, inputs)` → `(…, outputs)`."""
    state = {name: p[replica].detach().numpy() for name, p in model.named_parameters()}
    prefix = f"{networks}.{layer}.network"
    for hidden in range(10):
        if f"{prefix}.0.layers.{hidden}.weight" in state:
            place = f"{prefix}.0.layers.{hidden}"
            values = np.maximum(values @ state[f"{place}.weight"] + state[f"{place}.bias"][0], 0)
    return expit(values @ state[f"{prefix}.1.weight"] + state[f"{prefix}.1.bias"][0])


def log_pmf(values, p):
    return bernoulli.logpmf(values, p).sum(-1)


def mean_gradients(many, weights, values):
    parameters = {name: p for name, p in many.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad((weights * values).sum(), list(parameters.values()))
    return {name: gradient.sum(0) for name, gradient in zip(parameters, gradients, strict=True)}


def exact_gradients(model, x, function=lambda model, x: model.bound(x, torch.zeros(1, len(x), 0)).elbo):
    same = copies(model, 1)
    return mean_gradients(same, torch.ones(1), function(same, x))


def cells(edges):
    """Middles and sizes of the boxes that the thresholds `(T, H)` cut out of the unit cube."""
    bounds = [sorted({0.0, 1.0, *column.tolist()}) for column in edges.T]
    boxes = list(itertools.product(*(list(itertools.pairwise(axis)) for axis in bounds)))
    return [([(a + b) / 2 for a, b in box], np.prod([b - a for a, b in box])) for box in boxes]


def every_noise(model, x):
    """Noise `(C, 1, depth·H)` for all that one climb and its antithetic turns can do at one point, and its weights."""
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=LATENTS)))
    with torch.no_grad():
        given_by = [x, *[states] * (model.depth - 1)]
        logits = [encoder(v).logits[0] for encoder, v in zip(model.encoders, given_by, strict=True)]
    choices = list(itertools.product(*(cells(torch.cat([a, -a]).sigmoid()) for a in logits)))
    uniforms = np.array([np.concatenate([middle for middle, _ in choice]) for choice in choices])
    weights = np.array([np.prod([size for _, size in choice]) for choice in choices])
    return torch.tensor(ndtri(uniforms)).unsqueeze(1), torch.tensor(weights)


def twin(model, name, **settings):
    """The same parameters with other settings."""
    chosen = MODELS[name](latent_dim=LATENTS, **LINEAR, **settings)
    other = build([chosen] * model.replicas, DIM, [torch.Generator()] * model.replicas)
    other.load_state_dict(model.state_dict())
    return other


def every_pair(model, x):
    """Noise `(C, 2, depth·H)` that makes two samples of all states, and the probability of each choice."""
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=model.depth * LATENTS)))
    below = [x, *states.split(LATENTS, dim=1)]
    with torch.no_grad():
        log_q = sum(
            encoder(v).log_prob(z)[0] for encoder, v, z in zip(model.encoders, below[:-1], below[1:], strict=True)
        )
    chosen = torch.cartesian_prod(torch.arange(len(states)), torch.arange(len(states)))
    return 9 * (1 - 2 * states[chosen]), log_q[chosen].sum(1).exp()
