"""Forecast of what a study takes, before anything runs: number of runs and jobs, time, memory and disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2
from typing import NamedTuple

from entropy_sums.study.grid import Grid, Job, Run
from entropy_sums.study.schema import PackSettings
from entropy_sums.terminal import duration

TARGET_SECONDS = 600.0
"""Least duration of a job on a cluster: queueing, starting and accounting cost a minute or so per job, and thousands of
short jobs slow schedulers down."""

GIGABYTES_PER_CORE = 4.0
"""Memory that clusters commonly give with a core; a job that needs more waits longer, or pays for idle cores."""

GPU_SPEED_UP = 50.0
"""Ratio, assumed and not measured, of the speed of a GPU to that of one core in the arithmetic of a job. The start of a
job and the fixed cost of a step are assumed to be the same."""

SECONDS_TO_START = 5.0
SECONDS_PER_STEP = 2.5e-3
SECONDS_PER_MULTIPLICATION = 1.5e-11
SECONDS_PER_ACTIVATION = 2.5e-9
SECONDS_PER_UPDATE = 1e-8
SECONDS_PER_CERTIFIED_WEIGHT = 7e-6

MEGABYTES_OF_PYTHON = 320.0
MEGABYTES_OF_SNAKEMAKE = 300.0
COPIES_OF_WEIGHTS = 8.4
COPIES_OF_ACTIVATIONS = 1.2
ACTIVATIONS_PER_CHUNK = 2**20
"""Size of the chunks into which an evaluation cuts the data; repeated here because training imports torch."""

BYTES_PER_FILE = 90e3
BYTES_PER_RUN = 1300
BYTES_PER_VALUE = 5
VALUES_PER_RECORD = 26

HELDOUT = 0.5
"""Assumed number of held-out points per training point; the true number is known only from the data."""
UNKNOWN_SHAPE = (1000, 100)

TIME_MARGIN = 3.0
MEMORY_MARGIN = 1.5
GROWTH_AT_MOST = 4
"""Largest factor by which a further attempt raises a request. A job that fails with four times as much fails for
another reason, and a cluster refuses a request for more than a node has."""
MINUTES_AT_LEAST = 10
"""Least time to request: the first import of torch on a node, from a file system that many nodes read at once, takes
minutes."""


class _Phase(NamedTuple):
    """Passes of a phase, the points and samples of each pass, and the data dimensions that a sample meets."""

    passes: int
    points: int
    samples: int
    sampled_dim: int


@dataclass(frozen=True)
class Cost:
    """Forecast of time, memory and disk for a job with `replicas` runs like `run`.

    The forecast was compared with 22 jobs with 1 to 64 replicas, 40 to 4,500,000 weights and 2 to 784 data dimensions,
    in float32 and float64. The ratio of forecast to measured time on one core was 0.77 to 1.35 (median 1.1), the ratio
    of forecast to measured memory 0.77 to 1.46 (median 1.04): 2026-11-22, torch 2.13 on x86_64 with AVX2, all cores
    busy. Processors differ by more. These jobs had no certificates; the certificates of two nets of 835,000 and
    3,769,000 parameters took 9 and 37 s. The exact likelihood of the linear VAE is not included.

    Example:
        >>> from entropy_sums.study.schema import Study
        >>> study = Study(study="a", axes={"model": ["vae1"], "dataset": ["pca"], "seed": [0]})
        >>> run = Grid(study).runs[0]
        >>> Cost(run, 1).seconds < Cost(run, 64).seconds < 64 * Cost(run, 1).seconds
        True
    """

    run: Run
    replicas: int

    @property
    def seconds(self) -> float:
        """Seconds on one core."""
        return self._overhead + self._arithmetic

    @property
    def gpu_seconds(self) -> float:
        """Seconds on a GPU that the job has to itself."""
        return self._overhead + self._arithmetic / GPU_SPEED_UP

    @cached_property
    def megabytes(self) -> float:
        """Peak memory of a job of a cluster: training, and the two processes of Snakemake around it."""
        _, dim = self._shape
        samples = self.run.training.evaluation.samples
        chunk = min(self._points * self.replicas, max(self.replicas, ACTIVATIONS_PER_CHUNK // dim))
        trained = max(
            phase.points * (2 * (dim - phase.sampled_dim) + phase.samples * (self._units + 2 * phase.sampled_dim))
            for phase in self._phases
        )
        activations = max(self.replicas * trained, chunk * samples * (self._units + 2 * dim))
        noise = self.replicas * self._points * samples * self.run.model_settings.latent_dim
        numbers = (
            COPIES_OF_WEIGHTS * self.replicas * self._parameters
            + COPIES_OF_ACTIVATIONS * activations
            + noise
            + (1 + HELDOUT) * self._points * dim
        )
        return MEGABYTES_OF_PYTHON + MEGABYTES_OF_SNAKEMAKE + 4e-6 * self._float32s * numbers

    @property
    def replicas_to_target(self) -> float:
        """Number of replicas that would make the job as long as `TARGET_SECONDS`."""
        return max(1.0, (TARGET_SECONDS - self._overhead) / (self._arithmetic / self.replicas))

    @property
    def trace_bytes(self) -> float:
        """Bytes of the trace of the job and of its share of the collected file."""
        training = self.run.training
        values = self._records * (VALUES_PER_RECORD + self.run.model_settings.latent_dim)
        values += 2 * training.steps * training.evaluation.batches
        return BYTES_PER_FILE + self.replicas * (BYTES_PER_RUN + 2 * BYTES_PER_VALUE * values)

    @property
    def data_bytes(self) -> float:
        """Bytes of the data file, which jobs share."""
        points, dim = self._shape
        return self.run.dataset_settings.number_bytes * (1 + HELDOUT) * points * dim

    @property
    def _estimates(self) -> float:
        """Number of estimates of the bound in all records, on the training data."""
        evaluation = self.run.training.evaluation
        return (self._records - 1) * evaluation.samples + evaluation.last_samples

    @cached_property
    def _overhead(self) -> float:
        """Seconds that do not depend on sizes; each bound of a record counts as two steps."""
        bounds = 2 * self._estimates
        return SECONDS_TO_START + SECONDS_PER_STEP * (self.run.training.steps + 2 * bounds)

    @cached_property
    def _arithmetic(self) -> float:
        """Seconds of arithmetic on one core; encoder and decoder are assumed to take half each."""
        _, dim = self._shape
        estimates, records = self._estimates, self._records
        trained = sum(phase.passes * phase.points * self._per_point(phase) / 2 for phase in self._phases)
        passes = 3 * (records + estimates) / 2 + records / 2 + HELDOUT * (2 * records + estimates) / 2
        recorded = self._points * passes * self._per_pass(dim)
        updates = SECONDS_PER_UPDATE * self._parameters * self.run.training.steps
        certificate = SECONDS_PER_CERTIFIED_WEIGHT * self._weights * self.run.training.evaluation.certificate
        return self._float32s * self.replicas * (trained + recorded + updates) + certificate

    def _per_point(self, phase: _Phase) -> float:
        """Twice the seconds that a point of a phase takes through the encoder and its samples through the decoder."""
        all_of_it, sampled = self._per_pass(self._shape[1]), self._per_pass(phase.sampled_dim)
        return all_of_it + (all_of_it - sampled) + phase.samples * sampled

    def _per_pass(self, dim: int) -> float:
        """Seconds for a point with `dim` dimensions to pass through encoder and decoder."""
        settings = self.run.model_settings
        activations = dim + settings.latent_dim + self._units
        return SECONDS_PER_MULTIPLICATION * settings.multiplications(dim) + SECONDS_PER_ACTIVATION * activations

    @property
    def _shape(self) -> tuple[int, int]:
        return self.run.dataset_settings.shape or UNKNOWN_SHAPE

    @property
    def _points(self) -> int:
        return self._shape[0]

    @property
    def _phases(self) -> Iterator[_Phase]:
        _, dim = self._shape
        for phase in self.run.training.phases:
            points = self._points if phase.batch_size == "full" else phase.batch_size
            sampled_dim = self.run.model_settings.sampled_dim(dim) if phase.samples > 1 else dim
            yield _Phase(phase.passes, points, phase.samples, sampled_dim)

    @cached_property
    def _records(self) -> float:
        training = self.run.training
        return training.steps / training.evaluation.every + training.evaluation.every.bit_length()

    @property
    def _float32s(self) -> int:
        """Number of float32 that one number costs, in memory and in time."""
        return 2 if self.run.training.precision == "float64" else 1

    @cached_property
    def _weights(self) -> int:
        return self.run.model_settings.multiplications(self._shape[1])

    @cached_property
    def _parameters(self) -> int:
        return self.run.model_settings.parameters(self._shape[1])

    @cached_property
    def _units(self) -> float:
        """Number of hidden units, derived from the number of weights, which is all that a model declares.

        Per data dimension the number of weights grows by the width w once for the encoder and twice for the two outputs
        of the decoder. All further weights lie between hidden layers, w per unit.
        """
        settings = self.run.model_settings
        inner = settings.multiplications(0)
        growth = settings.multiplications(1) - inner
        width = growth / 3
        return 2 * width + max(0.0, inner - settings.latent_dim * growth) / width


def cost(job: Job) -> Cost:
    """Forecast of time, memory and disk for a job."""
    return Cost(job.runs[0], len(job.runs))


def request_megabytes(job: Job, attempt: int = 1) -> int:
    """Megabytes to request from a cluster: the forecast with a margin, more at each of the first attempts."""
    return ceil(MEMORY_MARGIN * cost(job).megabytes * min(attempt, GROWTH_AT_MOST))


def request_minutes(job: Job, attempt: int = 1) -> int:
    """Minutes to request from a cluster: the forecast with a margin, more at each of the first attempts.

    The request is never below `MINUTES_AT_LEAST`.
    """
    return max(MINUTES_AT_LEAST, ceil(TIME_MARGIN * cost(job).seconds / 60)) * min(attempt, GROWTH_AT_MOST)


def as_text(grid: Grid, cells: bool = False) -> str:
    """The plan of a study as text; with `cells` also every job."""
    costs = {name: cost(job) for name, job in grid.jobs.items()}
    seconds = [forecast.seconds for forecast in costs.values()]
    gpu_hours = sum(forecast.gpu_seconds for forecast in costs.values()) / 3600
    data = {job.data: costs[name].data_bytes for name, job in grid.jobs.items()}
    traces = sum(forecast.trace_bytes for forecast in costs.values())
    lines = [
        f"study {grid.study.name} ({grid.source})",
        *(f"  axis {axis}: {_short(values)}" for axis, values in grid.axes.items()),
        *_blocks(grid),
        f"  {len(grid.runs)} runs in {len(costs)} jobs, {_replicas(costs.values())}",
        f"  forecast: {_number(sum(seconds) / 3600)} core-hours (longest job {duration(max(seconds))}), or "
        f"{_number(gpu_hours)} GPU-hours (a GPU to each job, assumed {GPU_SPEED_UP:.0f} times as fast in arithmetic)",
        f"  memory: at most {_size(max(forecast.megabytes for forecast in costs.values()) * 1e6)} a job; "
        f"disk: {_size(traces)} of traces, {_size(sum(data.values()))} of data",
        *_unused(grid),
        *(f"  {name}: size unknown before it is loaded, taken as {UNKNOWN_SHAPE}" for name in _unsized(grid)),
        *_too_large(costs),
        *_too_short(grid, list(costs.values())),
    ]
    if cells:
        lines += [
            f"  {name}: {len(job.runs)} runs, {duration(costs[name].seconds)}, data {job.data}"
            for name, job in grid.jobs.items()
        ]
    return "\n".join(lines)


def _blocks(grid: Grid) -> Iterator[str]:
    """A line for each block of the study: its number of cells, shared ones included, and its keys."""
    for i, block in enumerate(grid.whole.grids):
        number = grid.cells_of(f"grids.{i}")
        named = [f"{axis} {_short(values)}" for axis, values in block.values.items()]
        named += [f"vary {axis} {_short(values)}" for axis, values in block.vary.items()]
        named += [f"with {setting} {value}" for setting, value in block.together.items()]
        yield f"  grids.{i}: {number} cell{'' if number == 1 else 's'}: {'; '.join(named)}"


def _too_large(costs: dict[str, Cost]) -> Iterator[str]:
    """A warning about packs that need more memory than a core commonly has."""
    large = {name: forecast for name, forecast in costs.items() if _exceeds(forecast)}
    if large:
        name, most = max(large.items(), key=lambda item: item[1].megabytes)
        size = _fitting(list(large.values()), max(forecast.replicas for forecast in large.values()))
        remedy = f"pack: {{size: {size}}} keeps all below" if size else "so does a single replica of some of them"
        yield (
            f"  warning: {len(large)} jobs need more than the {GIGABYTES_PER_CORE:.0f} GB that clusters commonly give "
            f"per core, {name} {_size(most.megabytes * 1e6)}; {remedy}"
        )


def _too_short(grid: Grid, costs: Sequence[Cost]) -> Iterator[str]:
    """A suggestion where jobs are too short for a cluster."""
    typical = _median([forecast.seconds for forecast in costs])
    if typical >= TARGET_SECONDS or len(costs) == 1:
        return
    said = f"  jobs take about {duration(typical)}; on a cluster let them take {duration(TARGET_SECONDS)} or more: "
    current, larger = grid.study.pack.size, grid
    # A pack that was cut off is more than half full: where none is, none can grow
    if max(forecast.replicas for forecast in costs) > current / 2:
        size = _fitting(costs, _power_of_two(_median([forecast.replicas_to_target for forecast in costs])))
        if size > current:
            larger = Grid(grid.whole.model_copy(update={"pack": PackSettings(size=size)}), grid.source)
    if len(larger.jobs) == len(costs):
        yield f"{said}no pack size does it, as the runs of one shape are too few, or memory is short"
        return
    then = _median([cost(job).seconds for job in larger.jobs.values()])
    filled = min(larger.study.pack.size, _power_of_two(max(len(job.runs) for job in larger.jobs.values())))
    limit = "" if then >= TARGET_SECONDS else ", as far as the runs of one shape and memory go"
    yield f"{said}pack: {{size: {filled}}} makes {len(larger.jobs)} jobs of about {duration(then)}{limit}"


def _exceeds(forecast: Cost) -> bool:
    return forecast.megabytes > 1e3 * GIGABYTES_PER_CORE


def _fitting(costs: Sequence[Cost], size: int) -> int:
    """`size`, or its half, quarter, …, such that memory suffices for all packs; 0 if no size does."""
    while size and any(_exceeds(Cost(forecast.run, size)) for forecast in costs):
        size //= 2
    return size


def _power_of_two(value: float) -> int:
    """Least power of two not below `value`: a pack size that does not change with small changes of a study."""
    return 2 ** ceil(log2(value))


def _unused(grid: Grid) -> Iterator[str]:
    """A line for each axis for which some of the models have no setting."""
    dimensions = {model: grid.dimensions(model) for model in dict.fromkeys(run.model for run in grid.runs)}
    for axis in grid.axes:
        without = [model for model, axes in dimensions.items() if axis != "model" and axis not in axes]
        if without:
            yield f"  axis {axis} does not apply to: {', '.join(without)}"


def _unsized(grid: Grid) -> set[str]:
    return {job.data for job in grid.jobs.values() if job.runs[0].dataset_settings.shape is None}


def _replicas(costs) -> str:
    """Number of replicas of the jobs, in words.

    Example:
        >>> from types import SimpleNamespace
        >>> _replicas([SimpleNamespace(replicas=8)] * 3 + [SimpleNamespace(replicas=2)])
        'at most 8 replicas each (3 × 8, 1 × 2)'
    """
    counts = sorted(Counter(forecast.replicas for forecast in costs).items(), reverse=True)
    most = f"at most {counts[0][0]} replicas each"
    return f"{most} ({_short([f'{jobs} × {size}' for size, jobs in counts])})" if len(counts) > 1 else most


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _short(values: list) -> str:
    shown = [str(value) for value in values]
    return ", ".join(shown) if len(shown) <= 8 else f"{shown[0]}, {shown[1]}, …, {shown[-1]} ({len(shown)} values)"


def _size(size: float) -> str:
    """Bytes in words.

    Example:
        >>> _size(4.5e3), _size(6.6e8)
        ('4.5 kB', '660.0 MB')
    """
    # The workflow, which every job of a cluster reads, asks for no sizes
    from rich.filesize import decimal

    return decimal(round(size))


def _number(value: float) -> str:
    """A number with two digits, the precision of a forecast.

    Example:
        >>> _number(0.01234), _number(12.34), _number(12345)
        ('0.012', '12', '12,345')
    """
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
