"""One table: how fast packed training is beside peers and the machine's limit. README.md says how to read it."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import torch
from tabulate import tabulate

import grid
from networks import NETWORKS, Network
from worker import Worker, rate

RESULTS = Path(__file__).with_name("results.md")
HEADERS = ("", "network", "quantity", "1 process", "2 processes", "both cores, best against best", "goal")
PROCESSES = (1, 2)
STEPS_PER_RUN = 10_000
GRID_RUNS, GRID_PACK = 64, 32


@dataclass(frozen=True)
class Contender:
    """Who is measured.

    Attributes:
        steps: `module:function` that does the work.
        threads: of a single process, which has both cores to itself; None is torch's default. Two have one each.
        unlocked: whether MKL uses all instructions of the processor, as in every job of ours.
    """

    steps: str
    threads: int | None
    unlocked: bool = True


OURS = Contender("ours:steps", threads=1)
PLAIN = Contender("plain:steps", threads=None)
PYTHAE = Contender("with_pythae:steps", threads=None)
SGEMM = Contender("sgemm:flop", threads=1)
NEEDED = {"a": (OURS,), "b": (OURS, PLAIN), "c": (OURS, PYTHAE), "d": (OURS, SGEMM), "e": ()}

Samples = list[float]
"""One number per round; the numbers of a round were measured right after each other."""


@dataclass(frozen=True)
class Effort:
    """How long is measured: rounds of so many seconds per contender, grids of so many steps per run."""

    rounds: int
    seconds: float
    grid_rounds: int
    grid_runs: int
    grid_steps: int


FULL = Effort(rounds=7, seconds=1.5, grid_rounds=3, grid_runs=GRID_RUNS, grid_steps=300)
QUICK = Effort(rounds=2, seconds=0.3, grid_rounds=1, grid_runs=2, grid_steps=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run, its numbers mean nothing")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=NEEDED,
        default=list(NEEDED),
        help="only these parts (default: all, written to results.md)",
    )
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    head = f"# Benchmark\n\n{conditions()} Of packs in (e): {FULL.grid_rounds} rounds."
    text = tabulated(head, rows(options.parts, effort))
    if effort is FULL and options.parts == list(NEEDED):
        RESULTS.write_text(text)


def table(description: str, title: str, rows: Callable[[Effort], Iterable[Sequence[str]]], results: Path) -> None:
    """The command line of a table of its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a smoke run, its numbers mean nothing")
    parser.add_argument("--write", action="store_true", help=f"keep the table in {results.name}")
    options = parser.parse_args()
    text = tabulated(f"# {title}\n\n{conditions()}", rows(QUICK if options.quick else FULL))
    if options.write:
        results.write_text(text)


def tabulated(head: str, rows: Iterable[Sequence[str]]) -> str:
    """The head and a table of the rows, measured and printed."""
    measured: list[Sequence[str]] = []
    text = head
    try:
        for row in rows:
            measured.append(row)
    finally:  # what has taken minutes is shown even if a later part fails
        text += f"\n\n{tabulate(measured, HEADERS, tablefmt='pipe')}\n"
        print(text)
    return text


def rows(parts: Sequence[str], effort: Effort) -> Iterable[Sequence[str]]:
    """The rows of the table."""
    contenders = list(dict.fromkeys(contender for part in parts for contender in NEEDED[part]))
    for network in NETWORKS if contenders else ():
        rates = measure(network, contenders, effort)
        for part in parts:
            yield from ROWS[part](network, rates) if part in ROWS else ()
    if "e" in parts:
        yield from grid_rows(effort)


Rates = dict[Contender, dict[int, Samples]]
"""Contender → number of processes → work per second."""


def measure(network: Network, contenders: Sequence[Contender], effort: Effort) -> Rates:
    """Take turns: every round measures every contender with one and with two processes."""
    with ExitStack() as stack:

        @cache
        def ready(contender: Contender, seed: int, threads: int | None) -> Worker:
            worker = Worker(contender.steps, network, seed, threads, contender.unlocked)
            return stack.enter_context(closing(worker))

        teams = {
            (contender, n): [ready(contender, seed, contender.threads if n == 1 else 1) for seed in range(n)]
            for contender in contenders
            for n in PROCESSES
        }
        rates: Rates = {contender: {processes: [] for processes in PROCESSES} for contender in contenders}
        for _ in range(effort.rounds):
            for (contender, processes), workers in teams.items():
                rates[contender][processes].append(rate(workers, effort.seconds))
    return rates


def training_rows(
    part: str, title: str, contender: Contender, goal: float | None = None
) -> Callable[[Network, Rates], Iterable[Sequence[str]]]:
    """Rows on the speed of a contender and, where there is a goal, how much faster ours is."""

    def rows_of(network: Network, rates: Rates) -> Iterable[Sequence[str]]:
        speed = rates[contender]
        per_hour = {n: [r * 3600 / STEPS_PER_RUN for r in samples] for n, samples in speed.items()}
        yield part, network.name, f"{title}, runs per hour", *(with_range(per_hour[n]) for n in PROCESSES), "", ""
        if goal is not None:
            ours = rates[OURS]
            same = [with_range(ratio(ours[n], speed[n]), "×") for n in PROCESSES]
            wanted = f"≥ {goal} ×" if network is NETWORKS[0] else ""
            yield part, network.name, f"ours / {title}", *same, with_range(ratio(best(ours), best(speed)), "×"), wanted

    return rows_of


def sgemm_rows(network: Network, rates: Rates) -> Iterable[Sequence[str]]:
    """Rows on the machine's limit and the share of it that ours reaches."""
    limit = rates[SGEMM]
    reached = {n: [r * network.flop_per_step for r in samples] for n, samples in rates[OURS].items()}
    yield "d", network.name, "sgemm, GFLOP/s", *(with_range([r / 1e9 for r in limit[n]]) for n in PROCESSES), "", ""
    share = {n: [100 * r for r in ratio(reached[n], limit[n])] for n in PROCESSES}
    wanted = "≥ 60 %" if network is NETWORKS[-1] else ""
    yield (
        "d",
        network.name,
        "ours / sgemm",
        *(with_range(share[n], "%") for n in PROCESSES),
        with_range(share[2], "%"),
        wanted,
    )


ROWS = {
    "a": training_rows("a", "ours, packed", OURS),
    "b": training_rows("b", "plain PyTorch loop", PLAIN, goal=5),
    "c": training_rows("c", "pythae's trainer", PYTHAE, goal=10),
    "d": sgemm_rows,
}


def grid_rows(effort: Effort) -> Iterable[Sequence[str]]:
    """Rows on a grid through the workflow, whose jobs share both cores."""

    def seconds(pack: int) -> float:
        return grid.wall_time(effort.grid_runs, pack, effort.grid_steps)

    # One job per run takes minutes: it is measured once, between the packed ones.
    packed = [seconds(GRID_PACK)]
    single = seconds(1)
    packed += [seconds(GRID_PACK) for _ in range(effort.grid_rounds - 1)]
    title = f"{effort.grid_runs} runs of {effort.grid_steps} steps"
    yield "e", grid.NAME, f"{title}, packs of {GRID_PACK}, seconds", "", with_range(packed), "", ""
    yield "e", grid.NAME, f"{title}, one job per run, seconds", "", with_range([single]), "", ""
    yield "e", grid.NAME, "one job per run / packs", "", "", with_range([single / s for s in packed], "×"), "≥ 15 ×"


def best(speed: dict[int, Samples]) -> Samples:
    """The faster of one process and two."""
    return max(speed.values(), key=statistics.median)


def ratio(above: Samples, below: Samples) -> Samples:
    return [a / b for a, b in zip(above, below, strict=True)]


def with_range(samples: Samples, unit: str = "") -> str:
    """The median, in brackets the least and the greatest."""
    values = statistics.median(samples), min(samples), max(samples)
    median, least, greatest = (f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in values)
    return f"{median} {unit}".strip() + f" ({least}–{greatest})"


def conditions() -> str:
    """What the numbers are measured on, asked before the start."""
    return (
        f"{date.today()}, {os.cpu_count()} cores ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()}), "
        f"load before the start {os.getloadavg()[0]:.1f}, torch {torch.__version__}. Medians (least–greatest) of "
        f"{FULL.rounds} interleaved rounds of {FULL.seconds} s each. [How to read it](README.md)."
    )


if __name__ == "__main__":
    main()
