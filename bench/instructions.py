"""MKL with all instructions of the processor beside MKL as it comes; README.md says how to read the rows.

Steps of packs of VAE-1 on both networks and of a restricted Boltzmann machine, the product of large matrices, and tanh
of many numbers: the same code in processes with and without the library of `entropy_sums.mkl`. On Intel's processors
both do the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from bench import OURS, PROCESSES, SGEMM, Contender, Effort, best, measure, ratio, table, with_range
from entropy_sums import mkl
from networks import NETWORKS, Network
from peers import OURS as MACHINES
from peers import Machine

RESULTS = Path(__file__).with_name("instructions.md")
NUMBERS = 200_000


def tanh(network: Network, seed: int) -> Iterator[int]:
    """Of normal numbers, the same for every network; yields of how many."""
    numbers = torch.randn(NUMBERS, generator=torch.Generator().manual_seed(seed))
    values = torch.empty_like(numbers)
    while True:
        torch.tanh(numbers, out=values)
        yield NUMBERS


SUBJECTS = (
    *((network.name, network, OURS, 1, "steps of a run per second") for network in NETWORKS),
    (Machine(100).name, Machine(100), MACHINES, 1, "epochs of a run per second"),
    ("2048-2048", NETWORKS[-1], SGEMM, 1e-9, "GFLOP/s"),
    ("tanh", NETWORKS[-1], Contender("instructions:tanh", threads=1), 1e-6, "million numbers per second"),
)
"""Name, size and contender, and what its rates times a number are."""


def rows(effort: Effort) -> Iterable[Sequence[str]]:
    """The rows of the table."""
    if not mkl.LIBRARY.exists():
        raise SystemExit("nothing to compare: the library was not built; see docs/architecture.md")
    for name, size, unlocked, factor, unit in SUBJECTS:
        locked = replace(unlocked, unlocked=False)
        rates = measure(size, (unlocked, locked), effort)
        for title, contender in (("all instructions", unlocked), ("as it comes", locked)):
            speed = (with_range([factor * rate for rate in rates[contender][n]]) for n in PROCESSES)
            yield "MKL", name, f"{title}, {unit}", *speed, "", ""
        same = (with_range(ratio(rates[unlocked][n], rates[locked][n]), "×") for n in PROCESSES)
        both = with_range(ratio(best(rates[unlocked]), best(rates[locked])), "×")
        yield "MKL", name, "all instructions / as it comes", *same, both, ""


if __name__ == "__main__":
    table(__doc__, "Instructions", rows, RESULTS)
