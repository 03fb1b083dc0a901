"""(a) VAE-1 in a pack, by the code that trains a job."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from entropy_sums.job import tune_process
from entropy_sums.models.vae.settings import VAE1Settings
from entropy_sums.training.pack import Pack
from entropy_sums.training.phase import Phase
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import PhaseSettings, TrainingSettings
from networks import Network

UNENDING = 10**9


def steps(network: Network, seed: int) -> Iterator[int]:
    """Do one optimiser step after the other; yields how many steps of single runs each was worth."""
    tune_process(threads=1)
    model = VAE1Settings(
        latent_dim=network.latent_dim,
        encoder_width=network.width,
        encoder_depth=1,
        decoder_width=network.width,
        decoder_depth=1,
    )
    training = TrainingSettings(phases=(PhaseSettings(steps=UNENDING, batch_size=network.batch),))
    seeds = range(seed * network.pack, (seed + 1) * network.pack)
    pack = Pack([Replica(s, model, training) for s in seeds], *network.points())
    phase = Phase(pack.data, pack.model, pack.replicas, position=0, start=0)
    for step in count():
        phase.update(step)
        yield network.pack
