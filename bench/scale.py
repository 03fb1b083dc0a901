"""How large studies may get: seconds and memory of planning, the DAG, collecting, and the start of every job.

The studies are synthetic: nothing is trained. Example: `python bench/scale.py --quick`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

import netCDF4
import numpy as np
import psutil
import yaml
from tabulate import tabulate

from entropy_sums.files import checksum
from entropy_sums.job import header
from entropy_sums.quantities import COUNTED, PER_STEP
from entropy_sums.study.grid import Grid, Job
from entropy_sums.study.schema import read
from entropy_sums.traces.read import Trace, load
from entropy_sums.traces.write import to_dataset, write

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("scale.md")
HEADERS = ("what", "size", "seconds", "MB", "goal")

PYTHON = (sys.executable, "-c")
CLI = (sys.executable, "-m", "entropy_sums.cli")
SNAKEMAKE = (sys.executable, "-m", "snakemake", "--quiet", "all", "--scheduler", "greedy")

PAUSE = 0.02

CELLS = {"model": ["linear_vae", "vae0", "vae1", "vae2", "vae3"], "dataset": ["pca", "digits"], "latent_dim": [2, 4]}
CELL_COUNT = 20
PACK = 8
STEPS = [0, *(2**i for i in range(8)), *range(200, 4001, 200)]
LATENTS_AND_FACTORS = {"factor": 2, "latent": 4}
CHECKSUM = "0123"
ONLY_LINEAR = {"log_likelihood", "heldout_log_likelihood"}


class Cost(NamedTuple):
    """Of one command.

    Attributes:
        megabytes: most resident memory of it and the processes that it starts, together, asked every `PAUSE` seconds.
    """

    seconds: float
    megabytes: float


def cost(*command: str | Path) -> Cost:
    """Run a command from the root of the repository.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = psutil.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
        most = 0
        while process.poll() is None:
            most = max(most, resident(process))
            time.sleep(PAUSE)
        seconds = time.perf_counter() - started
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{said.read()[-3000:]}")
    return Cost(seconds, most / 1e6)


def resident(process: psutil.Process) -> int:
    """Bytes of a process and those that it started; 0 where they have just ended."""
    try:
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def study(folder: Path, jobs: int, pack: int) -> Path:
    """The file of a study of so many jobs of so many runs."""
    axes = {**CELLS, "seed": {"count": -(-jobs // CELL_COUNT) * pack}}
    content = {"study": f"jobs{jobs}", "results": str(folder / "results"), "axes": axes, "pack": {"size": pack}}
    path = folder / f"{jobs}_jobs_of_{pack}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


Row = tuple[str, str, Cost, str]


def plans(folder: Path, scale: int) -> Iterator[Row]:
    """Planning many runs: in many seeds, and in many values of an axis that packs and of one that does not."""
    runs = 100_000 // scale
    yield (
        "`plan`",
        f"{runs} runs, {runs // PACK} jobs",
        cost(*CLI, "plan", study(folder, runs // PACK, PACK)),
        "60 s, 2 GB",
    )
    axes = {
        **CELLS,
        "learning_rate": np.geomspace(1e-4, 1e-1, 10).tolist(),
        "batch_size": list(range(50, 100)),
        "seed": {"count": max(1, runs // (CELL_COUNT * 500))},
    }
    path = folder / "axes.yaml"
    path.write_text(yaml.safe_dump({"study": "axes", "axes": axes}))
    size = len(Grid(read(path)).runs)
    yield "`plan`", f"{size} runs, 10 packed and 50 unpacked values", cost(*CLI, "plan", path), "60 s, 2 GB"


def graphs(folder: Path, scale: int) -> Iterator[Row]:
    """Building the DAG of many jobs, and reading the Snakefile, which every job of a cluster does twice."""
    for jobs in (1_000 // scale, 3_000 // scale, 10_000 // scale):
        path = study(folder, jobs, 2)
        yield "`snakemake --dry-run`", f"{jobs} jobs", cost(*SNAKEMAKE, "--dry-run", "--configfile", path), ""
    yield (
        "`snakemake --list`: reading the Snakefile",
        f"{jobs} jobs",
        cost(*SNAKEMAKE, "--list", "--configfile", path),
        "2.5 s",
    )


def collections(folder: Path, scale: int) -> Iterator[Row]:
    """Gathering many trace files."""
    jobs = 10_000 // scale
    path = study(folder, jobs, PACK)
    synthesise(Grid(read(path)))
    yield "`collect`", f"{jobs} files, {PACK} runs × {len(STEPS)} steps each", cost(*CLI, "collect", path), "60 s, 2 GB"


def starts(folder: Path, scale: int) -> Iterator[Row]:
    """What comes before the work of a command."""
    del scale
    yield "`--help`", "", cost(*CLI, "--help"), "0.3 s"
    yield "`status`", "100 jobs, none begun", cost(*CLI, "status", study(folder, 100, PACK)), ""
    yield "imports of `train`", "", cost(*PYTHON, "import entropy_sums.job"), ""
    yield "imports of torch alone", "", cost(*PYTHON, "import torch"), ""


PARTS: dict[str, Callable[[Path, int], Iterator[Row]]] = {
    "plan": plans,
    "dag": graphs,
    "collect": collections,
    "start": starts,
}


def synthesise(grid: Grid) -> None:
    """Write a trace for every job: one per kind by the package, the others as copies under their own identity."""
    kinds: dict[tuple[str, str, int], tuple[Path, Trace]] = {}
    for job in grid.jobs.values():
        path = grid.trace_path(job.name)
        first = job.runs[0]
        kind = (first.model, first.dataset, first.model_settings.latent_dim)
        if kind not in kinds:
            _write(job, path)
            kinds[kind] = path, load(path)
        else:
            original, trace = kinds[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, path)
            _rename(job, path, trace)


def _write(job: Job, path: Path) -> None:
    first = job.runs[0]
    sizes = {**LATENTS_AND_FACTORS, "latent": first.model_settings.latent_dim}
    generator = np.random.default_rng(0)
    per_step = {name: [0.01 * step for step in STEPS] for name in ("wall_time", "epoch")}
    arrays = {
        name: generator.normal(size=(len(STEPS), PACK, *(sizes[d] for d in quantity.dimensions[1:])))
        for name, quantity in PER_STEP.items()
        if name not in per_step and (first.model == "linear_vae" or name not in ONLY_LINEAR)
    }
    others = {"diverged_at": np.full(PACK, np.nan), "factors": ["prior", "observation"], "observed_dim": 10}
    write(to_dataset(header(job, CHECKSUM), arrays, {}, STEPS, per_step, device="cpu", **others), path)


def _rename(job: Job, path: Path, copied: Trace) -> None:
    runs = np.array([run.identity(CHECKSUM) for run in job.runs])
    written = {name: values for name, values in copied.labels.items() if name not in COUNTED}
    arrays = {**written, **copied.quantities, "run": runs}
    with netCDF4.Dataset(path, "a") as file:
        configuration = json.dumps([run.configuration for run in job.runs])
        named = {"job": job.name, "identity": job.identity, "configuration": configuration}
        file.setncatts({**named, "checksum": checksum(arrays)})
        file["seed"][:] = [run.seed for run in job.runs]
        file["run"][:] = netCDF4.stringtochar(runs.astype("S"))


def table(rows: Sequence[Row]) -> str:
    shown = [(what, size, f"{c.seconds:.2f}", f"{c.megabytes:.0f}", goal) for what, size, c, goal in rows]
    return tabulate(shown, HEADERS, tablefmt="pipe", disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of every size, a smoke run")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these (default: all)")
    parser.add_argument("--write", action="store_true", help=f"also write the table to {RESULTS.name}")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        try:
            for part in options.parts:
                for row in PARTS[part](Path(folder), 100 if options.quick else 1):
                    rows.append(row)
        finally:  # what has taken minutes is shown even if a later part fails
            print(table(rows))
    if options.write:
        RESULTS.write_text(
            f"# Scale\n\n{date.today()}, {os.cpu_count()} cores, load before the start {load:.1f}, "
            f"`python bench/scale.py --write`. MB: all processes of a command.\n\n{table(rows)}\n"
        )


if __name__ == "__main__":
    main()
