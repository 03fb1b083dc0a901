r"""Model selection while data stream in: a criterion for every minibatch, from its ELBO or from its entropy sum.

$$\mathrm{BIC} = (HD + 1) \log B - 2 L$$

with H latents, D data dimensions, B points per batch, and L the sum of the ELBO, or of the entropy sum, over the points
of the batch. Linear models with more latents have more parameters. Damm et al. (AISTATS 2023).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from entropy_sums.analysis import cells, closure, statistics

ESTIMATES = ("elbo", "entropy_sum")

LAST = 2000
"""Number of batches at the end of a segment that its statistics use, as published; half of a shorter segment."""

WINDOW = 500
"""Number of batches of a moving average; a tenth of a shorter segment."""

SHOWN_PER_SEGMENT = 200
"""Number of windows of each segment."""

RAW = (0.05, 0.95)
"""Quantiles of the batches of a window, between which most of them lie."""


@dataclass(frozen=True)
class Segmented:
    """A stream of minibatches in segments, each from another true model.

    Attributes:
        batch_size: number of points B of a minibatch.
        segment: number of batches of a segment.
        segments: number of segments whose batches were all recorded.
    """

    batch_size: int
    segment: int
    segments: int

    @property
    def last(self) -> int:
        """Number of batches at the end of a segment that its statistics use."""
        return min(LAST, self.segment // 2)

    @property
    def window(self) -> int:
        """Number of batches of a moving average."""
        return max(1, min(WINDOW, self.segment // 10))


def stream(ds: xr.Dataset) -> Segmented | None:
    """Segments of the single dataset of a group; None if it has no segments, or no record of its batches.

    Example:
        >>> stream(streamed["linearvae"].to_dataset())
        Segmented(batch_size=10, segment=400, segments=3)
    """
    dataset = ds["dataset"].item()
    data = json.loads(ds.attrs.get("data", "{}")).get(dataset, {})
    segment = data.get("segment")
    if segment is None or "latent_dim" not in ds.dims or "batch" not in ds.dims:
        return None
    phases = json.loads(ds.attrs["training"])[dataset]["phases"]
    size, *others = {phase["batch_size"] for phase in phases}
    in_order = all(phase["order"] == "given" for phase in phases)
    if others or not in_order or {segment, size} & {"varied", "full"} or segment % size:
        return None
    # The largest value on an axis: a shorter stream has no batches after its end
    on_axis = [ds[axis].max().item() for axis in ds.indexes if str(axis).split(".")[-1] == "segments"]
    whole = min(*(on_axis or [data["segments"]]), ds.sizes["batch"] // (segment // size))
    return Segmented(size, segment // size, whole) if whole else None


def walk(tree: xr.DataTree) -> Iterator[tuple[str, cells.Cell, xr.Dataset, Segmented]]:
    """Model, cell without the latent size, usable runs and stream, for every model and cell with a stream.

    A stream needs whole segments of one batch size, and the bound of every minibatch.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> [(model, cell) for model, cell, *_ in walk(streamed)]
        [('linearvae', {})]
    """
    for model, node in tree.children.items():
        ds = statistics.usable(node.to_dataset().isel(dataset=0))
        if (found := stream(ds)) is not None:
            others = [axis for axis in cells.axes(ds) if axis not in ("latent_dim", "seed")]
            for cell in cells.combinations(xr.DataTree.from_dict({model: ds}), others):
                runs = cells.select(ds, cell)
                if runs[f"batch_{ESTIMATES[0]}"].notnull().any():
                    yield model, cell, runs, found


def criterion(ds: xr.Dataset, estimate: str, batch_size: int) -> xr.DataArray:
    """BIC of every batch, from one of `ESTIMATES`, in nats per batch.

    Example:
        >>> ds = xr.Dataset({"batch_elbo": ("batch", [-1.0]), "observed_dim": 3.0}, {"latent_dim": 2})
        >>> criterion(ds, "elbo", 10).values.round(4)
        array([36.1181])
    """
    parameters = ds["latent_dim"] * ds["observed_dim"] + 1
    return parameters * math.log(batch_size) - 2 * batch_size * ds[f"batch_{estimate}"]


def moving(values: xr.DataArray, found: Segmented) -> xr.Dataset:
    """Mean and quantiles `RAW` (`low`, `high`) of each window of batches, at the last batch of the window.

    Example:
        >>> values = xr.DataArray(np.arange(20.0), dims="batch")
        >>> means = moving(values, Segmented(10, 20, 1))["mean"]
        >>> means["batch"].values[:3], means.values[:3]
        (array([1, 2, 3]), array([0.5, 1.5, 2.5]))
    """
    others = [d for d in values.dims if d != "batch"]
    windows = np.lib.stride_tricks.sliding_window_view(values.transpose(*others, "batch").values, found.window, axis=-1)
    every = max(1, found.segment // SHOWN_PER_SEGMENT)
    windows = windows[..., ::every, :]
    at = found.window - 1 + every * np.arange(windows.shape[-2])
    low, high = np.quantile(windows, RAW, axis=-1)
    dims = [*others, "batch"]
    coordinates = {"batch": at} | {name: values[name] for name in others if name in values.indexes}
    return xr.Dataset({"mean": (dims, windows.mean(-1)), "low": (dims, low), "high": (dims, high)}, coordinates)


def lowest(found: xr.Dataset) -> xr.Dataset:
    """The latent size with the lowest BIC (median over seeds of its mean) in every segment, by each estimate.

    Args:
        found: as `segments` gives it.

    Example:
        >>> ds = streamed["linearvae"].to_dataset().isel(dataset=0)
        >>> lowest(segments(ds, stream(ds)))["entropy_sum"].values
        array([6., 2., 4.])
    """
    return xr.Dataset({name: found[f"bic_{name}"].median("seed").idxmin("latent_dim") for name in ESTIMATES})


def segments(ds: xr.Dataset, found: Segmented) -> xr.Dataset:
    """Mean and standard deviation over the last batches of every whole segment, over `segment` (from 1) and the axes.

    `elbo`, `entropy_sum` in nats per data point and `bic_elbo`, `bic_entropy_sum`, each with `…_std`; `relative_gap`,
    the difference of ELBO and entropy sum in percent of the ELBO; `noise_floor`, the median of `relative_gap` over such
    segments whose batches differ by chance only, as if independent of each other; `std_ratio`, the standard deviation
    of the ELBO divided by that of the entropy sum.

    Example:
        >>> ds = streamed["linearvae"].to_dataset()
        >>> segments(ds, stream(ds))["std_ratio"].median("seed").dims
        ('dataset', 'latent_dim', 'segment')
    """
    batches = {name: ds[f"batch_{name}"] for name in ESTIMATES}
    batches |= {f"bic_{name}": criterion(ds, name, found.batch_size) for name in ESTIMATES}
    batches["gap"] = batches["elbo"] - batches["entropy_sum"]
    numbers: dict[str, xr.DataArray] = {}
    for kind, values in batches.items():
        parts = values.isel(batch=slice(found.segments * found.segment)).coarsen(batch=found.segment)
        ends = parts.construct(batch=("segment", "within")).isel(within=slice(-found.last, None))
        numbers[kind] = ends.mean("within", skipna=False)
        numbers[f"{kind}_std"] = ends.std("within", ddof=1, skipna=False)
    numbers["relative_gap"] = 100 * abs(numbers.pop("gap")) / abs(numbers["elbo"])
    spread = numbers.pop("gap_std") / np.sqrt(found.last)
    numbers["noise_floor"] = 100 * closure.MEDIAN * spread / abs(numbers["elbo"])
    numbers["std_ratio"] = numbers["elbo_std"] / numbers["entropy_sum_std"]
    return xr.Dataset(numbers).assign_coords(segment=np.arange(1, found.segments + 1))
