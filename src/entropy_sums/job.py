"""Train one job from its data to its trace file, on whatever machine this is."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from entropy_sums.data.dataset import Dataset, true_log_likelihoods
from entropy_sums.models import build
from entropy_sums.models.abilities import abilities
from entropy_sums.quantities import PREFIXES, TRUTH
from entropy_sums.study import fitting
from entropy_sums.study.grid import Job
from entropy_sums.traces.write import Header, to_dataset, write
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.schedules import epochs

MALLOC_OPTIONS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, -1), "M_TOP_PAD": (-2, 2**28)}
"""Options of mallopt(3). Mapped memory goes back at once, and the kernel clears each page of it anew at every step:
tensors above the largest threshold, 32 MiB, would take five times as long to fill."""


def tune_process(threads: int) -> None:
    """Set the number of threads, keep freed memory and treat denormal numbers as zero, for one process per core."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for option, value in MALLOC_OPTIONS.values():
            libc.mallopt(option, value)


def choose_device(name: str) -> torch.device:
    """Device by its name; `auto` is a GPU where there is one.

    Raises:
        ValueError: the device is not there.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError("device cuda: torch sees no GPU here; use --device auto or --device cpu")
    return torch.device("cuda" if name != "cpu" and available else "cpu")


def train(
    job: Job,
    data: Path,
    output: Path,
    device: str = "auto",
    threads: int = 1,
    checkpoint_seconds: float = 60.0,
    observe: Callable[[Pack], None] = lambda pack: None,
) -> None:
    """Train `job` on the data file and write its trace to `output`; `observe` is called as `Pack.run` does.

    A checkpoint lies beside the output during training, and a job that finds one resumes from it. SIGTERM and SIGINT
    write a checkpoint and end the process.

    Raises:
        ValueError: model, data and training do not fit together.
        Interrupted: after SIGTERM or SIGINT.
    """
    tune_process(threads)
    place = choose_device(device)
    dataset = Dataset.read(data)
    checkpoint = output.with_suffix(".checkpoint")
    replicas = [Replica(run.seed, run.model_settings, run.training) for run in job.runs]
    checksum = dataset.checksum
    identity = f"{job.identity} {checksum}"
    for caution in check(job, dataset):
        print(f"warning: {caution}", file=sys.stderr)
    # The true likelihood, too, is that of the points which the model sees
    dataset = dataset.in_precision(replicas[0].training.precision)
    points = dataset.train, dataset.test
    # Before training, so that nothing that may fail comes after it
    kind = type(job.runs[0].dataset_settings)
    truths = true_log_likelihoods(kind, dataset).items()
    known = {f"{PREFIXES[part]}{TRUTH.name}": np.full(len(replicas), nats) for part, nats in truths}
    pack = Pack(replicas, *points, place, identity, checkpoint, checkpoint_seconds, dataset.truth)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: pack.stop())
    trace = pack.run(observe)
    for warning in pack.warnings:
        print(f"{job.name}: warning: {warning}", file=sys.stderr)
    arrays = trace.arrays()
    size = dataset.train.shape[1]
    write(
        to_dataset(
            header(job, checksum),
            arrays,
            trace.at_end | known,
            trace.steps,
            {"wall_time": trace.wall_time, "epoch": epochs(pack.training, len(dataset.train), trace.steps)},
            trace.diverged_at,
            list(pack.model.factors),
            size,
            device_name(place),
        ),
        output,
    )
    checkpoint.unlink(missing_ok=True)


def check(job: Job, dataset: Dataset) -> list[str]:
    """Check again, with the actual data and model, whether model, data and training of a job fit together.

    Returns:
        Warnings about what can be trained and may not learn.

    Raises:
        ValueError: they do not; names every reason, with what to do.
    """
    data, reasons, cautions = fitting.Data.read(dataset, job.runs[0].training.precision), [], []
    # The runs of a job share the settings that shape a model: one of them stands for all
    model = build([job.runs[0].model_settings], dataset.train.shape[1], [torch.Generator().manual_seed(0)])
    for run in job.runs:
        able = abilities(model, run.model_settings.abilities)
        cell = run.model_settings, run.dataset_settings, run.training, data, able
        reasons += fitting.misfits(*cell)
        cautions += fitting.misfits(*cell, rules=fitting.CAUTIONS)
    if reasons:
        raise ValueError("\n".join(f"{job.name}: {reason}" for reason in dict.fromkeys(reasons)))
    return [f"{job.name}: {caution}" for caution in dict.fromkeys(cautions)]


def header(job: Job, data_checksum: str) -> Header:
    """Header of the trace file of a job, with its provenance."""
    first = job.runs[0]
    return Header(
        job.name,
        first.model,
        job.identity,
        [run.configuration for run in job.runs],
        [run.identity(data_checksum) for run in job.runs],
        {axis: [run.coordinates[axis] for run in job.runs] for axis in first.coordinates},
        first.training.evaluation.subset_sizes,
        data_checksum,
    )


def device_name(device: torch.device) -> str:
    """Name of the kind of processor, for the record."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
