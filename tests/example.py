"""A small invented collected tree with every irregularity a real one may have, for examples and tests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from entropy_sums.quantities import LATENTS, SUBSETS

AXES: Mapping[str, Sequence[Any]] = {"dataset": ["pca", "digits"], "latent_dim": [2, 4], "seed": range(8)}
MODELS = ("linearvae", "vae0", "vae1", "vae3")
OBSERVED_DIM = {"pca": 10, "digits": 64, "stream": 10}
SIZES = [10, 100, 1000]
ESTIMATES = 10
FACTOR_NOISE = (("prior", 0.5), ("observation", 3.0))
TRUE_LATENT_DIMS = (6, 2, 4)
"""Of the segments of `stream`."""

STEPS = np.array([0, *2 ** np.arange(9), *range(512, 8192, 256)])


def example_tree(
    axes: Mapping[str, Sequence[Any]] = AXES, models: Sequence[str] = MODELS, *, flaws: bool = True, seed: int = 0
) -> xr.DataTree:
    """A tree as in docs/results-format.md with made-up curves: no model was trained for it.

    The ELBO rises exponentially to its end, the gap falls with the gradient norm to a noise floor; that of
    `vae0` stays. With `flaws`, in each of the first two models, given three seeds or more: one run
    diverged, one ended early, one cell is missing.

    Args:
        axes: axis → values, in the order of the dimensions; needs `dataset` (pca, digits, stream), `latent_dim`,
            `seed`.
        models: names of the groups.
        flaws: whether to add the irregularities.
        seed: of the invented noise.

    Example:
        >>> tree = example_tree({"dataset": ["pca"], "latent_dim": [2], "seed": [0]}, ["vae1"], flaws=False)
        >>> tree["vae1"]["elbo"].dims, tree["vae1"]["elbo"].shape
        (('dataset', 'latent_dim', 'seed', 'step'), (1, 1, 1, 40))
    """
    rng = np.random.default_rng(seed)
    groups = {model: _group(model, axes, rng) for model in models}
    if flaws and len(axes["seed"]) > 2:
        for group in list(groups.values())[:2]:
            _spoil(group)
    first = {axis: list(values)[:1] for axis, values in axes.items() if axis != "seed"}
    shown = {"nats": None, "epochs": None, "rows": ["error", "deviation"], "percent": 4.0, "smooth": 100.0}
    configuration = {
        "study": "example",
        "axes": {"model": list(models)} | {k: list(v) for k, v in axes.items()},
        "panels": {
            "figure_1": {
                name: {"cells": {"model": [model], **first}, **shown}
                for name, model in zip("abcd", models[::2], strict=False)
            }
        },
    }
    attrs = {
        "study": "example",
        "configuration": json.dumps(configuration),
        "protocol": "1",
        "versions": json.dumps({"entropy_sums": "0.1.0"}),
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **groups})


def streaming(seeds: int = 4, segment: int = 400) -> xr.DataTree:
    """The invented tree of a linear VAE of several sizes on data in segments, with the bound of every minibatch.

    A model adapts within the first batches of a segment; with too few latents it has a lower ELBO.

    Args:
        segment: batches of a segment, 10 points each.

    Example:
        >>> dict(streaming()["linearvae"].sizes)["batch"]
        1200
    """
    sizes = [2, 4, 6]
    tree = example_tree({"dataset": ["stream"], "latent_dim": sizes, "seed": range(seeds)}, ["linearvae"], flaws=False)
    ds = tree["linearvae"].to_dataset()
    batch = xr.DataArray(np.arange(segment * len(TRUE_LATENT_DIMS)), dims="batch")
    truth = xr.DataArray(np.repeat(TRUE_LATENT_DIMS, segment), dims="batch")
    shape = xr.zeros_like(ds["diverged_at"]).fillna(0) + 0.0 * batch
    missing = (truth - ds["latent_dim"]).clip(min=0)
    level = 8 - 3 * truth - 2.0 * missing - 5 * xr.ufuncs.exp(-(batch % segment) / (segment / 20)) + shape
    noise = np.random.default_rng(0).standard_normal((2, *shape.shape))
    level = level.transpose(*shape.dims)
    batches = {"batch_elbo": level + 0.7 * noise[0], "batch_entropy_sum": level + 0.05 * noise[1]}
    training = {"stream": {"phases": [{"steps": batch.size, "batch_size": 10, "samples": 100, "order": "given"}]}}
    attributes = {
        "training": json.dumps(training),
        "data": json.dumps({"stream": {"segment": 10 * segment, "segments": 3}}),
    }
    group = ds.assign(batches).assign_attrs(attributes)
    return xr.DataTree.from_dict({"/": tree.to_dataset(), "linearvae": group})


def _group(model: str, axes: Mapping[str, Sequence[Any]], rng: np.random.Generator) -> xr.Dataset:
    names = [*axes, "step"]
    coordinates = {name: list(values) for name, values in axes.items()} | {"step": STEPS}
    shape = tuple(len(coordinates[name]) for name in names)

    def noise(scale: float) -> xr.DataArray:
        return xr.DataArray(scale * rng.standard_normal(shape), coordinates, names)

    def per_run(low: float, high: float) -> xr.DataArray:
        return xr.DataArray(rng.uniform(low, high, shape[:-1]), {k: coordinates[k] for k in axes}, list(axes))

    step = xr.DataArray(STEPS, {"step": STEPS}, ["step"])
    dims = xr.DataArray([OBSERVED_DIM[name] for name in axes["dataset"]], {"dataset": coordinates["dataset"]})
    latent_dim = xr.DataArray(coordinates["latent_dim"], {"latent_dim": coordinates["latent_dim"]})
    decay = xr.ufuncs.exp(-step / per_run(200, 400))
    gradient_norm = (20 * decay + per_run(0.005, 0.02)) * xr.ufuncs.exp(noise(0.2))
    control = model == "vae0"
    gap = xr.Dataset(
        {
            "prior": -(0.1 if control else 0.02) * latent_dim * gradient_norm * per_run(0.5, 1),
            "observation": -0.05 * dims * (gradient_norm + (3 if control else 0)) * per_run(0.5, 1),
        }
    ).to_dataarray("factor")
    gap = gap.transpose(*names, "factor") + 0.002 * noise(1)
    elbo = (-0.8 * dims * (1 + (1.5 if control else 0) + decay) + 0.5 * latent_dim + per_run(-0.3, 0.3)).transpose(
        *names
    )
    posterior_entropy = (1.4 * latent_dim * (0.3 + 0.7 * decay) * per_run(0.9, 1.1)).transpose(*names)
    prior = (latent_dim * 1.4189 + 0 * elbo).transpose(*names) - gap.sel(factor="prior", drop=True)
    cross_entropy = xr.concat([prior, posterior_entropy - elbo - prior], gap["factor"]).transpose(*names, "factor")
    latent = xr.DataArray(np.arange(max(axes["latent_dim"])), dims="latent")
    share = (0.5 * math.log(2 * math.pi * math.e) * (1 - decay * 0.1) - 0.8 * (latent % 2) * (1 - decay)) * per_run(
        0.9, 1
    )
    traces = {
        "elbo": elbo,
        "entropy_sum": elbo - gap.sum("factor"),
        "gap": gap.sum("factor"),
        "posterior_entropy": posterior_entropy,
        "cross_entropy": cross_entropy,
        "entropy": gap + cross_entropy,
    }
    heldout = {f"heldout_{name}": array - 0.01 * dims for name, array in traces.items() if name != "posterior_entropy"}
    errors = {f"{name}_standard_error": 0.002 + abs(noise(0.0005)) for name in ("elbo", "entropy_sum", "gap")}
    exact = elbo + 0.5 * decay
    weighted = elbo.isel(step=-1, drop=True) + 0.3
    true = (0 * weighted - 0.65 * dims).where(weighted["dataset"] == "pca")
    # A latent that is collapsed has the moments of the prior
    entropy = share.isel(step=-1, drop=True).where(latent < latent_dim)
    variance = xr.ufuncs.exp(2 * entropy - math.log(2 * math.pi * math.e))
    latents = {"square": 1.02 - variance, "variance": variance, "spread": 1.02 - variance}
    size = xr.DataArray([float(n) for n in SIZES], {"subset": SIZES}, ["subset"])

    def drawn(scale: float) -> xr.DataArray:
        values = rng.standard_normal((*shape[:-1], len(SIZES), ESTIMATES))
        return scale * xr.DataArray(values, dims=[*axes, "subset", "estimate"]) / size**0.5

    # Entropies vary little from subset to subset, cross-entropies much
    last = {name: array.isel(step=-1, drop=True) for name, array in (("q", posterior_entropy), ("ce", cross_entropy))}
    own = last["q"] + drawn(0.2)
    entropies = last["ce"] + gap.isel(step=-1, drop=True) + 0 * own
    crosses = xr.concat([last["ce"].sel(factor=f, drop=True) + drawn(s) for f, s in FACTOR_NOISE], gap["factor"])
    subsets = {
        "elbo": own - crosses.sum("factor"),
        "entropy_sum": own - entropies.sum("factor"),
        "posterior_entropy": own,
        "cross_entropy": crosses,
        "entropy": entropies,
    }
    likelihoods = {
        "linearvae": {"log_likelihood": exact, "heldout_log_likelihood": exact - 0.01 * dims},
        "vae1": {
            f"importance_weighted_bound{e}": weighted + by for e, by in {"": 0, "_low": -0.1, "_high": 0.2}.items()
        },
    }.get(model, {})
    ds = xr.Dataset(
        traces
        | heldout
        | errors
        | likelihoods
        | {f"latent_{name}": values for name, values in latents.items()}
        | {f"subset_{name}": values for name, values in subsets.items()}
        | {
            "latent_entropy": share.where(latent < latent_dim).transpose(*names, "latent"),
            "gradient_norm": gradient_norm,
            "directional_derivative": _certified(gap, control) * (1 + 1e-6),
            "stationary_gap": 0 * _certified(gap, control),
            "true_log_likelihood": true,
            "wall_time": step * 1e-3 + 0 * elbo,
            "epoch": step / 8 + 0 * elbo,
            "diverged_at": xr.full_like(per_run(0, 1), np.nan),
            "observed_dim": xr.full_like(per_run(0, 1), 1.0) * dims,
            "run": xr.full_like(per_run(0, 1), "", dtype="<U8"),
            "planned": xr.full_like(per_run(0, 1), 1.0),
        }
    ).transpose(*names, "subset", "estimate", "factor", "latent")
    training = {"batch_size": 128, "phases": [{"optimizer": "adam", "learning_rate": 1e-3, "steps": 7936}]}
    ds.attrs = {
        "model": model,
        "axes": json.dumps(list(axes)),
        "training": json.dumps({name: training for name in axes["dataset"]}),
        "data": json.dumps({name: {"data_seed": 0} for name in axes["dataset"]}),
    }
    return ds


def _certified(gap: xr.DataArray, control: bool) -> xr.DataArray:
    return gap.where(gap["factor"] == "prior") if control else gap


def _spoil(ds: xr.Dataset) -> None:
    cells = [dict.fromkeys([name for name in ds["diverged_at"].dims if name != "seed"], end) for end in (0, -1)]
    floats = [array for array in ds.data_vars.values() if array.dtype.kind == "f" and "step" in array.dims]
    late = {"step": slice(30, None)}
    for array in floats:
        array[{**cells[0], "seed": 1, **late}] = 1e9
        array[{**cells[0], "seed": 2, **late}] = np.nan
        array[cells[1]] = np.nan
    ds["diverged_at"][{**cells[0], "seed": 1}] = STEPS[30]
    for quantity in [*LATENTS, *SUBSETS]:
        ds[quantity.name][cells[1]] = np.nan
