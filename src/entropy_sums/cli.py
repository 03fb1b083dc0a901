"""The command line: every step of the workflow, each of which also runs by itself.

A command is one function here: it adds its arguments to a parser and returns the function that runs it. Imports lie
inside the functions, as `--help` must not wait for them. The computation lies in the other modules.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from entropy_sums.study.catalogue import Catalogue
    from entropy_sums.study.grid import Grid

DEFAULT_STUDY = Path("config/config.yaml")

EXAMPLES = """\
examples:
  entropy-sums plan config/config.yaml                     what a study will take
  entropy-sums plan config/config.yaml --only vae1/pca/seed=0-7
                                                           full settings of one job
  entropy-sums train config/config.yaml vae1/pca/seed=0-7  train exactly that job
"""

Run = Callable[[argparse.Namespace], int | None]
"""Function that runs a command; its value is the exit status."""


class Command(NamedTuple):
    """A command: its summary, an example, and the function that adds its arguments and returns its run."""

    summary: str
    example: str
    declare: Callable[[argparse.ArgumentParser], Run]


COMMANDS: dict[str, Command] = {}


def command(summary: str, example: str) -> Callable[[Callable[[argparse.ArgumentParser], Run]], None]:
    """Decorator: the function declares the command of its name."""

    def enter(declare: Callable[[argparse.ArgumentParser], Run]) -> None:
        COMMANDS[declare.__name__] = Command(summary, example, declare)

    return enter


def main(arguments: list[str] | None = None) -> int:
    """Run one command; mistakes end in one line on standard error and exit status 2."""
    options = parser().parse_args(arguments)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader has seen enough, such as `head`; Python would complain once more at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, LookupError, OSError) as error:
        # The text of a LookupError is its argument in quotes
        message = error.args[0] if isinstance(error, LookupError) and error.args else error
        print(f"entropy-sums {options.command}: {message}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    """Parser of all commands."""
    whole = argparse.ArgumentParser(
        prog="entropy-sums",
        description="Study whether the ELBO of deep generative models converges to a sum of entropies.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="command")
    for name, (summary, example, declare) in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example: entropy-sums {name} {example}",
            allow_abbrev=False,
        )
        sub.set_defaults(run=declare(sub))
    return whole


@command("print runs, jobs and predicted cost of a study", "config/config.yaml --cells")
def plan(parser: argparse.ArgumentParser) -> Run:
    _study(parser)
    parser.add_argument("--cells", action="store_true", help="list every job with its runs")
    parser.add_argument("--only", metavar="JOB", help="print the full settings of one job as JSON")

    def run(options: argparse.Namespace) -> None:
        from entropy_sums.study.plan import as_text

        grid = _grid(options)
        if options.only:
            text = json.dumps([run.configuration for run in grid.find(options.only).runs], indent=2)
        else:
            text = as_text(grid, options.cells)
        for line in grid.left_out:
            print(line, file=sys.stderr)
        print(text)

    return run


@command("make one data file of a study", "config/config.yaml pca-b77efde9 --output data.nc")
def data(parser: argparse.ArgumentParser) -> Run:
    _study(parser)
    parser.add_argument("name", help="name of the data file, as `entropy-sums plan --cells` shows it")
    parser.add_argument("--output", type=Path, help="NetCDF file to write (default: where the study looks for it)")

    def run(options: argparse.Namespace) -> None:
        from entropy_sums.data import load

        grid = _grid(options)
        output = options.output or grid.data_path(options.name)
        dataset = load(grid.dataset(options.name), grid.study.data_dir)
        for caution in grid.check_data(options.name, dataset):
            print(f"warning: {caution}", file=sys.stderr)
        dataset.write(output)

    return run


@command("train one job of a study", "config/config.yaml vae1/pca/seed=0-7")
def train(parser: argparse.ArgumentParser) -> Run:
    _study(parser)
    parser.add_argument("job", help="name of the job, as `entropy-sums plan --cells` shows it")
    parser.add_argument("--data", type=Path, help="data file (default: that of the study, made if it is not there)")
    parser.add_argument("--output", type=Path, help="trace to write (default: where the study looks for it)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where (default: GPU if any)")
    parser.add_argument("--threads", type=_count, default=1, help="CPU threads (default: 1, best for packs)")
    parser.add_argument("--identity", help="refuse to train if the study file now asks for something else")
    parser.add_argument("--checkpoint-seconds", type=float, default=60.0, help="time between checkpoints (default: 60)")

    def run(options: argparse.Namespace) -> int:
        from entropy_sums import mkl
        from entropy_sums.data import data_file
        from entropy_sums.progress import Reporter

        # A plugin may import torch when the study is read
        mkl.unlock()
        grid = _grid(options)
        job = grid.find(options.job)
        output = options.output or grid.trace_path(job.name)
        try:
            # From here on errors are told to `status` too, such as that of a torch that cannot be imported
            with Reporter(job, output) as reporter:
                grid.check_planned(job, options.identity)
                path, settings = grid.data_path(job.data), grid.dataset(job.data)
                found = options.data or data_file(settings, grid.study.data_dir, path)
                from entropy_sums.job import train

                train(job, found, output, options.device, options.threads, options.checkpoint_seconds, reporter.observe)
        except KeyboardInterrupt as stop:
            said = f"{stop}; a checkpoint is kept" if stop.args else "stopped before it began"
            print(f"{job.name}: {said}, the same command goes on from it", file=sys.stderr)
            return 143
        return 0

    return run


@command("tell from its files how far a study is; exit status 1 if jobs failed", "config/config.yaml")
def status(parser: argparse.ArgumentParser) -> Run:
    _study(parser)
    parser.add_argument("--all", action="store_true", help="list every job that runs, was interrupted or failed")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, for scripts")
    parser.add_argument(
        "--silence", type=float, metavar="SECONDS", help="a job whose files are older no longer runs (default: 120)"
    )

    def run(options: argparse.Namespace) -> int:
        from entropy_sums.status import SILENCE, State, as_text, look

        grid = _grid(options)
        found = look(grid, SILENCE if options.silence is None else options.silence)
        if options.json:
            print(json.dumps({**found.as_json(), "left_out": grid.left_out}, indent=2))
        else:
            print(as_text(found, grid, options.all))
            for line in grid.left_out:
                print(line, file=sys.stderr)
        return int(found.runs[State.FAILED] > 0)

    return run


@command("gather all traces of a study in one file", "config/config.yaml --partial")
def collect(parser: argparse.ArgumentParser) -> Run:
    _study(parser)
    parser.add_argument("--output", type=Path, help="NetCDF file to write (default: traces.nc of the study)")
    parser.add_argument("--partial", action="store_true", help="leave out jobs that have no trace yet, naming them")
    parser.add_argument(
        "--processes", type=_count, help="processes that read (default: one per CPU; few for few files)"
    )

    def run(options: argparse.Namespace) -> None:
        from entropy_sums.collect import collect, present, write

        grid = _grid(options)
        tree = collect(grid, present(grid, options.partial), options.processes)
        write(tree, options.output or grid.study.folder / "traces.nc")

    return run


@command("draw one figure of a collected file", "traces_pca results/quickstart/traces.nc")
def figure(parser: argparse.ArgumentParser) -> Run:
    parser.add_argument("name", help="name of the figure, `<figure>` or `<figure>_<dataset>`")
    parser.add_argument("traces", type=Path, help="collected file")
    _plugins(parser)
    parser.add_argument("--output", type=Path, help="path without suffix (default: figures/NAME beside the traces)")

    def run(options: argparse.Namespace) -> None:
        from entropy_sums.collect import open_tree
        from entropy_sums.figures import render

        output = options.output or options.traces.parent / "figures" / options.name
        render(options.name, open_tree(options.traces), output, _catalogue(options).figures)

    return run


@command("write the tables of a collected file", "results/quickstart/traces.nc")
def tables(parser: argparse.ArgumentParser) -> Run:
    parser.add_argument("traces", type=Path, help="collected file")
    parser.add_argument("names", nargs="*", help="which tables (default: all that have rows)")
    _plugins(parser)
    parser.add_argument("--output", type=Path, help="folder to write to (default: tables beside the traces)")

    def run(options: argparse.Namespace) -> None:
        from entropy_sums.collect import open_tree
        from entropy_sums.tables.write import write_all

        output = options.output or options.traces.parent / "tables"
        write_all(_catalogue(options).tables, options.names, open_tree(options.traces), output)

    return run


@command("write report.html of a study", "config/config.yaml")
def report(parser: argparse.ArgumentParser) -> Run:
    _study(parser)
    parser.add_argument("--output", type=Path, help="HTML file to write (default: report.html of the study)")

    def run(options: argparse.Namespace) -> None:
        from entropy_sums.collect import open_tree
        from entropy_sums.report import write
        from entropy_sums.study.pictures import CERTIFICATES

        grid = _grid(options)
        folder = grid.whole.folder
        figures = [folder / "figures" / name for name in (*grid.pictures, CERTIFICATES)]
        tree = open_tree(folder / "traces.nc")
        write(tree, figures, options.output or folder / "report.html", grid.whole.catalogue)

    return run


@command(
    "compare the final numbers of a study with a reference; exit status 1 if some differ, 2 if one is missing",
    "config/studies/zoo.yaml",
)
def compare(parser: argparse.ArgumentParser) -> Run:
    _study(parser)
    parser.add_argument("--references", type=Path, help="folder of the references (default: results/reference)")
    parser.add_argument("--keep", action="store_true", help="write the present numbers as the reference instead")
    parser.add_argument(
        "--relative-margin",
        type=_share,
        metavar="SHARE",
        default=0.01,
        help="difference that counts as agreement, as a share of the absolute value (default: 0.01)",
    )
    parser.add_argument(
        "--margin-per-dimension",
        type=_share,
        metavar="NATS",
        default=0.001,
        help="the same in nats per dimension, or times 100 in percentage points; the larger counts (default: 0.001)",
    )

    def run(options: argparse.Namespace) -> int:
        from entropy_sums import reference
        from entropy_sums.analysis.comparison import Margins
        from entropy_sums.collect import open_tree

        study = _grid(options).study
        tree, folder = open_tree(study.folder / "traces.nc"), options.references or reference.FOLDER
        if options.keep:
            for line in reference.keep_all(study, tree, folder):
                print(line, file=sys.stderr)
            return 0
        margins = Margins(options.relative_margin, options.margin_per_dimension)
        return int(not reference.agrees(study, tree, folder, margins))

    return run


@command("say for which models of a study the theorem holds", "config/config.yaml")
def certify(parser: argparse.ArgumentParser) -> Run:
    _study(parser)
    parser.add_argument("--trials", type=_count, default=5, help="random parameter values per model (default: 5)")
    parser.add_argument("--output", type=Path, help="CSV file to write (default: tables/certificates.csv of the study)")
    parser.add_argument("--figure", type=Path, help="path without suffix (default: figures/certificates of the study)")

    def run(options: argparse.Namespace) -> None:
        from entropy_sums import mkl

        mkl.unlock()
        from entropy_sums.certify import certify

        certify(_grid(options), options.trials, options.output, options.figure)

    return run


@command("say what a study file may name, and what each setting means", "rbm digits")
def settings(parser: argparse.ArgumentParser) -> Run:
    parser.add_argument("names", nargs="*", help="of models, datasets, training or optimisers (default: list them)")
    _plugins(parser)

    def run(options: argparse.Namespace) -> None:
        from entropy_sums.study.explain import describe, overview

        catalogue = _catalogue(options)
        described = "\n\n".join(describe(name, catalogue) for name in options.names)
        print(described or overview(catalogue))

    return run


@command("print the JSON schema of study files for editors", "> study.schema.json")
def schema(parser: argparse.ArgumentParser) -> Run:
    def run(options: argparse.Namespace) -> None:
        from entropy_sums.study.schema import Study

        print(json.dumps(Study.model_json_schema(), indent=2))

    return run


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 on")
    return number


def _study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, nargs="?", default=DEFAULT_STUDY, help="study file (config/config.yaml)")
    parser.add_argument("--size", help="one of the sizes of the study file (default: that which it names)")


def _plugins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", type=Path, help="study file, for what its plugins bring (default: no plugins)")
    parser.add_argument("--size", help="one of the sizes of the study file (default: that which it names)")


def _catalogue(options: argparse.Namespace) -> Catalogue:
    """Catalogue of the named study file, or of this package where none is named."""
    from entropy_sums.study.catalogue import BUILT_IN
    from entropy_sums.study.schema import read

    return BUILT_IN if options.study is None else read(options.study, options.size).catalogue


def _grid(options: argparse.Namespace) -> Grid:
    from entropy_sums.study.grid import Grid
    from entropy_sums.study.schema import read

    return Grid(read(options.study, options.size), options.study)


if __name__ == "__main__":
    sys.exit(main())
