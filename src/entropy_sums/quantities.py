"""Names, meanings and units of everything that is recorded (docs/results-format.md shows them as tables)."""

from __future__ import annotations

FORMAT = "entropy-sums trace 2"

NATS = "nats per data point"

QUANTITIES: dict[str, tuple[str, str]] = {
    "elbo": ("evidence lower bound", NATS),
    "entropy_sum": ("sum of entropies", NATS),
    "gap": ("ELBO minus entropy sum", NATS),
    "elbo_standard_error": ("Monte Carlo standard error of the ELBO", NATS),
    "entropy_sum_standard_error": ("Monte Carlo standard error of the entropy sum", NATS),
    "gap_standard_error": ("Monte Carlo standard error of the gap", NATS),
    "posterior_entropy": ("mean entropy of the variational distributions", NATS),
    "cross_entropy": ("cross-entropy of the posterior to each factor", NATS),
    "entropy": ("expected entropy of each factor", NATS),
    "log_likelihood": ("exact log-likelihood", NATS),
}

HELDOUT = {f"heldout_{name}": (f"{meaning}, held-out data", unit) for name, (meaning, unit) in QUANTITIES.items()}

PER_STEP: dict[str, tuple[str, str]] = {
    **QUANTITIES,
    **HELDOUT,
    "latent_entropy": ("mean posterior entropy of each latent", "nats"),
    "gradient_norm": ("norm of the gradient of the ELBO over all parameters", "nats per unit of parameter"),
    "directional_derivative": ("derivative of the ELBO along the direction of each factor's certificate", NATS),
    "stationary_gap": ("gap of each factor that a stationary point of the objective has, by its certificate", NATS),
    "wall_time": ("time of training of the pack", "s"),
    "epoch": ("passes through the training points", "1"),
}

ESTIMATES = {
    "importance_weighted_bound": "importance-weighted bound on the log-likelihood",
    "forward_ais": "log-likelihood by forward annealing, too large on average",
    "reverse_ais": "log-likelihood by reverse annealing, too small on average",
    "elbo_forward_ais": "ELBO by forward annealing, too large on average",
    "elbo_reverse_ais": "ELBO by reverse annealing, too small on average",
}

LIKELIHOOD = {
    f"{prefix}{name}{limit}": (f"{meaning} at the end of training{of_data}{bound}", NATS)
    for prefix, of_data in {"": "", "heldout_": ", held-out data"}.items()
    for name, meaning in ESTIMATES.items()
    for limit, bound in {"": "", "_low": ": lower limit, 95 %", "_high": ": upper limit, 95 %"}.items()
}

TRUTH = {"train": "true_log_likelihood", "test": "heldout_true_log_likelihood"}
"""Part of the data → its mean log-likelihood under the distribution that they are drawn from, where that is known."""

LATENTS = {
    "latent_square": ("square of the posterior mean of each latent at the end of training, mean over points", "1"),
    "latent_variance": ("posterior variance of each latent at the end of training, mean over points", "1"),
    "latent_spread": ("variance over points of the posterior mean of each latent at the end of training", "1"),
}

SUBSETS = {
    f"subset_{name}": (f"{QUANTITIES[name][0]}, estimated from few held-out points at the end of training", NATS)
    for name in ("elbo", "entropy_sum", "posterior_entropy", "cross_entropy", "entropy")
}

BATCHES = {
    f"batch_{name}": (f"{QUANTITIES[name][0]} of the minibatch of each step, before its update", NATS)
    for name in ("elbo", "entropy_sum")
}

PER_RUN: dict[str, tuple[str, str]] = {
    **LIKELIHOOD,
    TRUTH["train"]: ("log-likelihood of the distribution that the data are drawn from", NATS),
    TRUTH["test"]: ("log-likelihood of the distribution that the data are drawn from, held-out data", NATS),
    **LATENTS,
    **SUBSETS,
    **BATCHES,
    "gini": ("mean Gini coefficient of the absolute posterior means of a point", "1"),
    "heldout_gini": ("mean Gini coefficient of the absolute posterior means of a point, held-out data", "1"),
    "weights": ("what each latent sends to the data, times the scale of its prior", "units of the data"),
    "diverged_at": ("first recorded step at which the run was found diverged", "optimiser steps"),
    "observed_dim": ("number of data dimensions", "1"),
    "run": ("identity of the run", "1"),
    "planned": ("1 for a run that the study has, 0 for a combination that it excludes", "1"),
}

FURTHER_DIMENSIONS = {
    "cross_entropy": ("factor",),
    "entropy": ("factor",),
    "directional_derivative": ("factor",),
    "stationary_gap": ("factor",),
    "heldout_cross_entropy": ("factor",),
    "heldout_entropy": ("factor",),
    "latent_entropy": ("latent",),
    **dict.fromkeys(LATENTS, ("latent",)),
    **dict.fromkeys(SUBSETS, ("subset", "estimate")),
    "subset_cross_entropy": ("subset", "estimate", "factor"),
    "subset_entropy": ("subset", "estimate", "factor"),
    **dict.fromkeys(BATCHES, ("batch",)),
    "weights": ("latent", "pixel"),
}

LABELS = {
    "step": {"long_name": "optimiser steps", "units": "1"},
    "subset": {"long_name": "number of held-out points of an estimate", "units": "1"},
}
"""What the numbers that stand along a dimension mean; `factor` has names, those of `COUNTED` are counted from 0."""

COUNTED = ("latent", "pixel", "estimate", "batch")

CHECKED = ("factor", *LABELS, *PER_STEP, *PER_RUN)
"""What the checksum of a trace file covers, of what it has."""

NAMES = frozenset({*CHECKED, *COUNTED})
"""Names of all quantities and dimensions, which no axis can have."""

WORDS = ("factor", "run")
"""What holds text."""


def dimensions(name: str) -> tuple[str, ...]:
    """The dimensions of a quantity beside those of the runs.

    Example:
        >>> dimensions("entropy"), dimensions("gap"), dimensions("observed_dim")
        (('step', 'factor'), ('step',), ())
    """
    return (*(("step",) if name in PER_STEP else ()), *FURTHER_DIMENSIONS.get(name, ()))


def attributes(name: str) -> dict[str, str]:
    """long_name and units of a quantity.

    Example:
        >>> attributes("gap")
        {'long_name': 'ELBO minus entropy sum', 'units': 'nats per data point'}
    """
    meaning, unit = {**PER_STEP, **PER_RUN}[name]
    return {"long_name": meaning, "units": unit}


def group_name(model: str) -> str:
    """The group of a model in a collected file.

    Example:
        >>> group_name("linear_vae"), group_name("vae1")
        ('linearvae', 'vae1')
    """
    return model.lower().replace("_", "")
