"""The datasets of this package by name."""

from __future__ import annotations

from entropy_sums.data.array_file import Array
from entropy_sums.data.bars import Bars, SparseBars, SparseSources
from entropy_sums.data.base import DatasetSettings
from entropy_sums.data.celeba import CelebA
from entropy_sums.data.idx import MNIST, FashionMNIST
from entropy_sums.data.linear import PCA, Counts, Manifold, PCARing, Stream
from entropy_sums.data.machines import (
    BeliefNetwork,
    BoltzmannMachine,
    DeepBeliefNetwork,
    DeepBoltzmannMachine,
    GaussianBoltzmannMachine,
)
from entropy_sums.data.mixtures import (
    MixtureOfBernoullis,
    MixtureOfGammas,
    MixtureOfGaussians,
    MixtureOfPoissons,
)
from entropy_sums.data.patches import Patches
from entropy_sums.data.shipped import Digits, MNIST5k
from entropy_sums.data.susy import SUSY
from entropy_sums.data.toys import Circle, Cosine, Eight, GridOfGaussians, RingOfGaussians, Spiral, SwissRoll

DATASETS: dict[str, type[DatasetSettings]] = {
    dataset.name: dataset
    for dataset in (
        PCA,
        PCARing,
        Counts,
        Bars,
        SparseBars,
        SparseSources,
        BeliefNetwork,
        BoltzmannMachine,
        DeepBoltzmannMachine,
        DeepBeliefNetwork,
        GaussianBoltzmannMachine,
        MixtureOfGaussians,
        MixtureOfBernoullis,
        MixtureOfPoissons,
        MixtureOfGammas,
        Manifold,
        RingOfGaussians,
        Circle,
        Eight,
        SwissRoll,
        Cosine,
        Spiral,
        GridOfGaussians,
        Stream,
        Digits,
        MNIST5k,
        MNIST,
        FashionMNIST,
        CelebA,
        SUSY,
        Patches,
        Array,
    )
}
"""Settings class of each dataset, by the name that study files use."""
