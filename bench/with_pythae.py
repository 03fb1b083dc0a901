"""(c) pythae's trainer and its VAE, one run at a time, with the networks of (b).

Its VAE has a fixed decoder variance: slightly less work than VAE-1. Timed is `BaseTrainer.train_step`, an epoch of
optimiser steps; what the trainer does between epochs (copy of the best model, evaluation, checkpoints, progress
bar) is left out, as our evaluations are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from tempfile import TemporaryDirectory

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor

import plain
from networks import Network


class Encoder(BaseEncoder):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.layers = plain.encoder(network)

    def forward(self, x: Tensor) -> ModelOutput:
        mean, log_variance = self.layers(x).chunk(2, dim=-1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.layers = plain.decoder(network)

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


def steps(network: Network, seed: int) -> Iterator[int]:
    """Do one epoch after the other; yields its number of optimiser steps."""
    logging.disable(logging.INFO)
    points = torch.from_numpy(network.points()[0])
    model = VAE(VAEConfig(input_dim=(network.dim,), latent_dim=network.latent_dim), Encoder(network), Decoder(network))
    with TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            per_device_train_batch_size=network.batch,
            learning_rate=1e-3,
            seed=seed,
            no_cuda=True,
        )
        trainer = BaseTrainer(model, BaseDataset(points, torch.zeros(len(points))), training_config=config)
        trainer.prepare_training()
        trainer.callback_handler.callbacks.clear()
        for epoch in count(1):
            trainer.train_step(epoch)
            yield len(trainer.train_loader)
