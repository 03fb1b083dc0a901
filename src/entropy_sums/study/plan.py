"""What a study will take: runs, jobs, time and disk, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

from entropy_sums.study.grid import Grid, Job

SECONDS_TO_START = 5.0
SECONDS_PER_STEP = 1.5e-3
SECONDS_PER_MULTIPLICATION = 1.2e-10
"""Measured on one core of a small cloud machine; a forecast is good to a factor of about two."""

BYTES_PER_VALUE = 8
VALUES_PER_RECORD = 45


UNKNOWN_SHAPE = (1000, 100)


def seconds(job: Job) -> float:
    """Forecast of the time of a job on one core, in seconds; held-out data count as half the training data."""
    run = job.runs[0]
    points, dim = run.dataset_settings.shape or UNKNOWN_SHAPE
    weights = run.model_settings.weights(dim)
    passes = sum(
        phase.steps * (points if phase.batch_size == "full" else phase.batch_size) for phase in run.training.phases
    )
    records = _records(job)
    passes += records * run.training.evaluation.samples * points * 1.5
    return (
        SECONDS_TO_START
        + SECONDS_PER_STEP * run.training.steps
        + SECONDS_PER_MULTIPLICATION * 3 * weights * len(job.runs) * passes
    )


def describe(grid: Grid, cells: bool = False) -> str:
    """The plan of a study as text; with `cells` also every job."""
    jobs = list(grid.jobs.values())
    forecast = {job.name: seconds(job) for job in jobs}
    records = sum(_records(job) * len(job.runs) for job in jobs)
    lines = [
        f"study {grid.study.study} ({grid.source})",
        *(f"  axis {axis}: {_short(values)}" for axis, values in grid.study.axes.items()),
        f"  {len(grid.runs)} runs in {len(jobs)} jobs, at most {max(len(job.runs) for job in jobs)} replicas each",
        f"  forecast: {_time(sum(forecast.values()))} of one core (longest job {_time(max(forecast.values()))}), "
        f"{records * VALUES_PER_RECORD * BYTES_PER_VALUE / 1e6:.1f} MB of traces",
        *_unused(grid),
        *(f"  {name}: size unknown before it is loaded, taken as {UNKNOWN_SHAPE}" for name in _unsized(grid)),
    ]
    if cells:
        lines += [f"  {job.name}: {len(job.runs)} runs, {_time(forecast[job.name])}, data {job.data}" for job in jobs]
    return "\n".join(lines)


def _unused(grid: Grid) -> Iterator[str]:
    """Axes that some of the models have no setting for."""
    dimensions = {model: grid.dimensions(model) for model in dict.fromkeys(run.model for run in grid.runs)}
    for axis in grid.study.axes:
        without = [model for model, axes in dimensions.items() if axis != "model" and axis not in axes]
        if without:
            yield f"  axis {axis} does not apply to: {', '.join(without)}"


def _unsized(grid: Grid) -> set[str]:
    return {job.data for job in grid.jobs.values() if job.runs[0].dataset_settings.shape is None}


def _records(job: Job) -> float:
    training = job.runs[0].training
    return training.steps / training.evaluation.every + training.evaluation.every.bit_length()


def _short(values: list) -> str:
    shown = [str(value) for value in values]
    return ", ".join(shown) if len(shown) <= 8 else f"{shown[0]}, {shown[1]}, …, {shown[-1]} ({len(shown)} values)"


def _time(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
