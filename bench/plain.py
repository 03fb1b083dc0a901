"""(b) VAE-1 in plain PyTorch, one run at a time, as a careful user writes it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from networks import Network


def encoder(network: Network) -> nn.Sequential:
    """x ↦ mean and log-variance of the posterior, side by side."""
    return nn.Sequential(
        nn.Linear(network.dim, network.width), nn.ReLU(), nn.Linear(network.width, 2 * network.latent_dim)
    )


def decoder(network: Network) -> nn.Sequential:
    """z ↦ mean of the observation."""
    return nn.Sequential(nn.Linear(network.latent_dim, network.width), nn.ReLU(), nn.Linear(network.width, network.dim))


class VAE(nn.Module):
    """Standard normal prior, normal observation with one learned variance."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder(network), decoder(network)
        self.log_variance = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """The negative ELBO in nats per data point."""
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        squared_error = (x - self.decoder(z)).square().sum(-1).mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()
        constant = x.shape[-1] * (math.log(2 * math.pi) + self.log_variance)
        return divergence + 0.5 * (squared_error * (-self.log_variance).exp() + constant)


def steps(network: Network, seed: int) -> Iterator[int]:
    """Do one optimiser step after the other; yields 1 for each."""
    torch.manual_seed(seed)
    data = torch.from_numpy(network.points()[0])
    model = VAE(network)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    while True:
        for rows in torch.randperm(len(data)).split(network.batch):
            loss = model(data[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield 1
