"""A process that keeps one contender ready, so that contenders can be measured in turns."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pkgutil import resolve_name

from entropy_sums import mkl
from networks import Network

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Worker:
    """Runs the contender named `module:function`, which yields the work that it has done step by step.

    Args:
        threads: of torch; None leaves torch's default.
        unlocked: whether MKL uses all instructions of the processor, as in every job of ours.
    """

    def __init__(self, contender: str, network: Network, seed: int, threads: int | None, unlocked: bool) -> None:
        self.contender = contender
        context = multiprocessing.get_context("spawn")
        self._pipe, end = context.Pipe()
        # Libraries read these when they are loaded, before any code of ours could set them in the process.
        for name in THREAD_VARIABLES:
            os.environ.pop(name, None)
        if threads is not None:
            os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        # Preloaded it does not matter who imports torch first; an empty name is none.
        os.environ["LD_PRELOAD"] = str(mkl.LIBRARY) if unlocked and mkl.LIBRARY.exists() else ""
        self._process = context.Process(target=_serve, args=(end, contender, network, seed), daemon=True)
        self._process.start()
        end.close()
        self.receive()

    def start(self, seconds: float) -> None:
        """Let it work for a while."""
        self._pipe.send(seconds)

    def receive(self) -> float:
        """Wait for the end of that while: work per second."""
        try:
            return self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"{self.contender} ended; its traceback stands above") from None

    def close(self) -> None:
        self._pipe.close()
        self._process.join()


def rate(workers: Iterable[Worker], seconds: float) -> float:
    """Work per second of all workers, side by side."""
    workers = list(workers)
    for worker in workers:
        worker.start(seconds)
    return sum(worker.receive() for worker in workers)


def _serve(pipe: Connection, contender: str, network: Network, seed: int) -> None:
    steps = resolve_name(contender)(network, seed)
    next(steps)
    pipe.send(0.0)
    while True:
        try:
            seconds = pipe.recv()
        except EOFError:
            return
        done, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            done += next(steps)
        pipe.send(done / elapsed)
