"""Names as a reader of a paper knows them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {
    "linearvae": "linear VAE",
    "convvae": "convolutional VAE",
    "bernoullivae": "Bernoulli VAE",
    "poissonvae": "Poisson VAE",
    "gaussianmixture": "Gaussian mixture",
    "poissonmixture": "Poisson mixture",
    "bernoullimixture": "Bernoulli mixture",
    "exponentialmixture": "exponential mixture",
    "gammamixture": "gamma mixture",
    "sparsecoding": "sparse coding",
    "factoranalysis": "factor analysis",
    "sbn": "SBN",
    "rbm": "RBM",
    "cd": "CD",
    "pcd": "PCD",
    "gaussianrbm": "Gaussian RBM",
    "dbn": "DBN",
    "dbm": "DBM",
    "boltzmann_machine": "Boltzmann machine",
    "deep_boltzmann_machine": "deep Boltzmann machine",
    "gaussian_boltzmann_machine": "Gaussian Boltzmann machine",
    "mixture_of_gaussians": "mixture of Gaussians",
    "mixture_of_bernoullis": "mixture of Bernoullis",
    "mixture_of_poissons": "mixture of Poissons",
    "ring_of_gaussians": "ring of Gaussians",
    "pca": "PCA",
    "pca_ring": "PCA-ring",
    "mnist": "MNIST",
    "mnist5k": "MNIST-5k",
    "fashion_mnist": "Fashion-MNIST",
    "celeba": "CelebA",
    "susy": "SUSY",
    "swiss_roll": "Swiss roll",
    "latent_dim": "latent size",
    "gibbs_steps": "Gibbs steps",
    "train": "training points",
    "elbo": "ELBO",
    "heldout_elbo": "held-out ELBO",
    "log_likelihood": "exact log-likelihood",
    "heldout_log_likelihood": "held-out log-likelihood",
    "true_log_likelihood": "true log-likelihood",
    "importance_weighted_bound": "importance-weighted bound",
    "forward_ais": "forward AIS",
    "reverse_ais": "reverse AIS",
    "elbo_forward_ais": "ELBO by forward AIS",
    "elbo_reverse_ais": "ELBO by reverse AIS",
    "subset": "held-out points",
    "lowest": "lowest BIC",
    "likelihood_by": "log-likelihood by",
}


def readable(name: str) -> str:
    """The name of a model, dataset, axis, factor or quantity in words.

    Example:
        >>> readable("vae1"), readable("pca_ring"), readable("learning_rate")
        ('VAE-1', 'PCA-ring', 'learning rate')
    """
    return NAMES.get(name, re.sub(r"^vae(\d+)$", r"VAE-\1", name).replace("_", " ").replace(".", " "))


def describe(cell: Mapping[str, Any], between: str = ", ") -> str:
    """A cell of a study in words; a dataset speaks for itself, every other axis is named.

    Example:
        >>> describe({"dataset": "pca_ring", "latent_dim": 2, "learning_rate": 0.001})
        'PCA-ring, latent size 2, learning rate 0.001'
    """
    return between.join(
        readable(value) if axis == "dataset" else f"{readable(axis)} {_value(value)}" for axis, value in cell.items()
    )


def apart(panels: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """What tells panels, each of a model and a cell, from each other, a line per axis; of a single one the model.

    Example:
        >>> cells = [{"dataset": "pca", "latent_dim": size, "beta": 1.0} for size in (2, 4)]
        >>> apart([("vae1", cell) for cell in cells])
        ['latent size 2', 'latent size 4']
        >>> apart([("vae1", {"dataset": "pca"})])
        ['VAE-1']
    """
    models = {model for model, _ in panels}
    axes = [axis for _, cell in panels for axis in cell if axis != "dataset"]
    differ = [axis for axis in dict.fromkeys(axes) if len({cell.get(axis) for _, cell in panels}) > 1]
    named = len(models) > 1 or not differ
    return [
        "\n".join([*([readable(model)] if named else []), *(describe({a: cell[a]}) for a in differ if a in cell)])
        for model, cell in panels
    ]


def rows(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells facets from each other, a line per axis; of a single one all of it.

    Example:
        >>> rows([{"latent_dim": 2, "beta": 1.0}, {"latent_dim": 4, "beta": 1.0}])
        ['latent size 2', 'latent size 4']
        >>> rows([{"latent_dim": 2}])
        ['latent size 2']
    """
    axes = cells[0] if cells else ()
    differ = [axis for axis in axes if len(cells) == 1 or len({cell[axis] for cell in cells}) > 1]
    return [describe({axis: cell[axis] for axis in differ}, "\n") for cell in cells]


def settings(value: Any) -> str:
    """Nested settings (of JSON) in words.

    Example:
        >>> settings({"batch_size": 128, "phases": [{"optimizer": "adam", "steps": 2000}]})
        'batch size 128, phases (optimizer adam, steps 2000)'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{readable(key)} {_nested(part)}" for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(settings(part) for part in value)
    return _value(value)


def _nested(value: Any) -> str:
    return f"({settings(value)})" if isinstance(value, Mapping | list) else settings(value)


def _value(value: Any) -> str:
    # Captions are also read as reStructuredText, where a trailing underscore makes a link
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")
