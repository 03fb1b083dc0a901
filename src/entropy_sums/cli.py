"""The command line: every step of the workflow, each of which also runs by itself."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

DEFAULT_STUDY = Path("config/config.yaml")

EXAMPLES = """\
examples:
  entropy-sums plan config/config.yaml                     what a study will take
  entropy-sums plan config/config.yaml --only vae1/pca/seed=0-7
                                                           full settings of one job
  entropy-sums train config/config.yaml vae1/pca/seed=0-7  train exactly that job
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; mistakes end in one line on standard error and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except (ValueError, LookupError, OSError) as error:
        # The text of a LookupError is its argument in quotes
        message = error.args[0] if isinstance(error, LookupError) and error.args else error
        print(f"entropy-sums {options.command}: {message}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="entropy-sums",
        description="Study whether the ELBO of deep generative models converges to a sum of entropies.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, run, summary: str, example: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example: entropy-sums {name} {example}",
            allow_abbrev=False,
        )
        sub.set_defaults(run=run)
        return sub

    plan = command("plan", _plan, "print runs, jobs and predicted cost of a study", "config/config.yaml --cells")
    _study(plan)
    plan.add_argument("--cells", action="store_true", help="list every job with its runs")
    plan.add_argument("--only", metavar="JOB", help="print the full settings of one job as JSON")

    data = command("data", _data, "make one data file of a study", "config/config.yaml pca-b77efde9 --output data.nc")
    _study(data)
    data.add_argument("name", help="name of the data file, as `entropy-sums plan --cells` shows it")
    data.add_argument("--output", type=Path, help="NetCDF file to write (default: where the study looks for it)")

    train = command("train", _train, "train one job of a study", "config/config.yaml vae1/pca/seed=0-7")
    _study(train)
    train.add_argument("job", help="name of the job, as `entropy-sums plan --cells` shows it")
    train.add_argument("--data", type=Path, help="data file (default: that of the study, made if it is not there)")
    train.add_argument("--output", type=Path, help="trace to write (default: where the study looks for it)")
    train.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where (default: GPU if any)")
    train.add_argument("--threads", type=_count, default=1, help="CPU threads (default: 1, best for packs)")
    train.add_argument("--identity", help="refuse to train if the study file now asks for something else")
    train.add_argument("--checkpoint-seconds", type=float, default=60.0, help="time between checkpoints (default: 60)")

    status = command(
        "status", _status, "tell from its files how far a study is; exit status 1 if jobs failed", "config/config.yaml"
    )
    _study(status)
    status.add_argument("--all", action="store_true", help="list every job that runs, was interrupted or failed")
    status.add_argument("--json", action="store_true", help="print everything as JSON, for scripts")
    status.add_argument(
        "--silence", type=float, metavar="SECONDS", help="a job whose files are older no longer runs (default: 120)"
    )

    collect = command("collect", _collect, "gather all traces of a study in one file", "config/config.yaml --partial")
    _study(collect)
    collect.add_argument("--output", type=Path, help="NetCDF file to write (default: traces.nc of the study)")
    collect.add_argument("--partial", action="store_true", help="leave out jobs that have no trace yet, naming them")
    collect.add_argument(
        "--processes", type=_count, help="processes that read (default: one per CPU; few for few files)"
    )

    figure = command(
        "figure", _figure, "draw one figure of a collected file", "traces_pca results/quickstart/traces.nc"
    )
    figure.add_argument("name", help="name of the figure, `<figure>` or `<figure>_<dataset>`")
    figure.add_argument("traces", type=Path, help="collected file")
    _plugins(figure)
    figure.add_argument("--output", type=Path, help="path without suffix (default: figures/NAME beside the traces)")

    tables = command("tables", _tables, "write the tables of a collected file", "results/quickstart/traces.nc")
    tables.add_argument("traces", type=Path, help="collected file")
    tables.add_argument("names", nargs="*", help="which tables (default: all that have rows)")
    _plugins(tables)
    tables.add_argument("--output", type=Path, help="folder to write to (default: tables beside the traces)")

    report = command("report", _report, "write report.html of a study", "config/config.yaml")
    _study(report)
    report.add_argument("--output", type=Path, help="HTML file to write (default: report.html of the study)")

    compare = command(
        "compare",
        _compare,
        "compare the final numbers of a study with a reference; exit status 1 if some disagree, 2 if one is missing",
        "config/studies/zoo.yaml",
    )
    _study(compare)
    compare.add_argument("--references", type=Path, help="folder of the references (default: results/reference)")
    compare.add_argument("--keep", action="store_true", help="write the present numbers as the reference instead")

    certify = command("certify", _certify, "say for which models of a study the theorem holds", "config/config.yaml")
    _study(certify)
    certify.add_argument("--trials", type=_count, default=5, help="random parameter values per model (default: 5)")
    certify.add_argument(
        "--output", type=Path, help="CSV file to write (default: tables/certificates.csv of the study)"
    )
    certify.add_argument("--figure", type=Path, help="path without suffix (default: figures/certificates of the study)")

    settings = command(
        "settings", _settings, "say what a study file may name, and what each setting means", "rbm digits"
    )
    settings.add_argument(
        "names", nargs="*", help="models, datasets, training, phases, evaluation (default: list them)"
    )
    _plugins(settings)

    command("schema", _schema, "print the JSON schema of study files for editors", "> study.schema.json")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, nargs="?", default=DEFAULT_STUDY, help="study file (config/config.yaml)")
    parser.add_argument("--size", help="one of the sizes of the study file (default: that which it names)")


def _plugins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", type=Path, help="study file, for what its plugins bring (default: no plugins)")
    parser.add_argument("--size", help="one of the sizes of the study file (default: that which it names)")


def _catalogue(options: argparse.Namespace):
    """What the study file that is named may name; what this package has where none is."""
    from entropy_sums.study.catalogue import BUILT_IN
    from entropy_sums.study.schema import read

    return BUILT_IN if options.study is None else read(options.study, options.size).catalogue


def _grid(options: argparse.Namespace):
    from entropy_sums.study.grid import Grid
    from entropy_sums.study.schema import read

    return Grid(read(options.study, options.size), options.study)


def _plan(options: argparse.Namespace) -> None:
    from entropy_sums.study.plan import describe

    grid = _grid(options)
    if options.only:
        text = json.dumps([run.configuration for run in grid.find(options.only).runs], indent=2)
    else:
        text = describe(grid, options.cells)
    for line in grid.left_out:
        print(line, file=sys.stderr)
    print(text)


def _data(options: argparse.Namespace) -> None:
    from entropy_sums.data import load

    grid = _grid(options)
    output = options.output or grid.data_path(options.name)
    load(grid.dataset(options.name), grid.study.data_dir).write(output)


def _data_file(grid, name: str) -> Path:
    """The data file of a study, made if it is not there or older than the files that it is made from."""
    from entropy_sums.data import load
    from entropy_sums.files import newer

    path, settings = grid.data_path(name), grid.dataset(name)
    if not newer(path, settings.files):
        load(settings, grid.study.data_dir).write(path)
    return path


def _certify(options: argparse.Namespace) -> None:
    from entropy_sums import mkl

    mkl.unlock()
    from entropy_sums.certificates.verdict import describe
    from entropy_sums.certify import verdicts, write
    from entropy_sums.study.pictures import CERTIFICATES

    grid = _grid(options)
    folder = grid.study.folder
    found = []
    for verdict in verdicts(grid, lambda name: _data_file(grid, name), options.trials):
        print(describe(verdict), flush=True)
        found.append(verdict)
    write(found, options.output or folder / "tables" / f"{CERTIFICATES}.csv")
    # Drawing imports the style of all figures, which takes longer than a small study
    from entropy_sums.figures import certificates
    from entropy_sums.figures.save import save

    stem = options.figure or folder / "figures" / CERTIFICATES
    save(certificates.draw(found), stem, certificates.caption(found), grid.study.note)


def _train(options: argparse.Namespace) -> int:
    from entropy_sums import mkl
    from entropy_sums.progress import Reporter

    # A plugin may import torch when the study is read
    mkl.unlock()
    grid = _grid(options)
    job = grid.find(options.job)
    output = options.output or grid.trace_path(job.name)
    try:
        # From here on errors are told to `status` too, such as that of a torch that cannot be imported
        with Reporter(job, output) as reporter:
            if options.identity not in (None, job.identity):
                raise ValueError(
                    f"{options.study}: job {job.name} was planned as {options.identity} and is now {job.identity}: "
                    "the study file, or the software, changed meanwhile; start the workflow again"
                )
            data = options.data or _data_file(grid, job.data)
            from entropy_sums.job import train

            train(job, data, output, options.device, options.threads, options.checkpoint_seconds, reporter.observe)
    except KeyboardInterrupt as stop:
        said = f"{stop}; a checkpoint is kept" if stop.args else "stopped before it began"
        print(f"{job.name}: {said}, the same command goes on from it", file=sys.stderr)
        return 143
    return 0


def _status(options: argparse.Namespace) -> int:
    from entropy_sums.status import SILENCE, State, describe, look

    grid = _grid(options)
    status = look(grid, SILENCE if options.silence is None else options.silence)
    if options.json:
        print(json.dumps({**status.as_json(), "left_out": grid.left_out}, indent=2))
    else:
        print(describe(status, grid, options.all))
        for line in grid.left_out:
            print(line, file=sys.stderr)
    return int(status.runs[State.FAILED] > 0)


def _collect(options: argparse.Namespace) -> None:
    from entropy_sums.collect import collect, write

    grid = _grid(options)
    jobs = list(grid.jobs.values())
    absent = [job.name for job in jobs if not grid.trace_path(job.name).exists()]
    if absent and (not options.partial or len(absent) == len(jobs)):
        raise ValueError(
            f"{len(absent)} of {len(jobs)} jobs have no trace yet, the first is {absent[0]}; "
            "train them (`entropy-sums train`), or gather what there is with --partial"
        )
    for name in absent:
        print(f"no trace of {name}", file=sys.stderr)
    without = set(absent)
    tree = collect(grid, [job for job in jobs if job.name not in without], options.processes)
    write(tree, options.output or grid.study.folder / "traces.nc")


def _figure(options: argparse.Namespace) -> None:
    from entropy_sums.figures import render

    output = options.output or options.traces.parent / "figures" / options.name
    render(options.name, _tree(options.traces), output, _catalogue(options).figures)


def _tables(options: argparse.Namespace) -> None:
    from entropy_sums.analysis import names
    from entropy_sums.tables.write import write

    known = _catalogue(options).tables
    if unknown := [name for name in options.names if name not in known]:
        raise KeyError(f"no table {unknown[0]!r}; there are {', '.join(known)}")
    tree, output = _tree(options.traces), options.output or options.traces.parent / "tables"
    for name in options.names or known:
        frame = known[name].frame(tree)
        if options.names or len(frame):
            with names.known(tree):
                write(known[name], frame, output / name)


def _compare(options: argparse.Namespace) -> int:
    from entropy_sums import reference
    from entropy_sums.study.errors import StudyError

    study = _grid(options).study
    tree = _tree(study.folder / "traces.nc")
    folder, disagreeing, mistakes = options.references or reference.FOLDER, False, []
    # A table of which nothing is compared, as of a plugin that does not say, needs no reference
    known = {name: study.catalogue.tables[name] for name in study.tables if study.catalogue.tables[name].compared}
    frames = {name: table.frame(tree) for name, table in known.items()}
    paths = {name: folder / reference.file(study.name, name) for name in known}
    # Without rows, as where the datasets of a table are not at hand, there is nothing to keep and none to be missed
    if options.keep:
        for name, frame in frames.items():
            if len(frame):
                reference.keep(frame, reference.provenance(tree), paths[name])
            elif paths[name].exists():
                print(f"{paths[name]}: stays as it is, the study has no rows of this table now", file=sys.stderr)
        return 0
    for name, frame in frames.items():
        if not len(frame) and not paths[name].exists():
            continue
        try:
            kept, source = reference.read(paths[name], known[name])
            rows = reference.compare(known[name], frame, kept, paths[name])
        except StudyError as error:
            mistakes.append(str(error))
            continue
        print("\n".join([str(paths[name]), *(f"{key}: {value}" for key, value in source.items())]))
        print(rows.to_string(index=False))
        counts = rows["agrees"].value_counts()
        print(", ".join(f"{counts.get(verdict, 0)} {meaning}" for verdict, meaning in reference.VERDICTS.items()), "\n")
        disagreeing |= "no" in rows["agrees"].tolist()
    try:
        if len(in_print := reference.published(study.study, frames)):
            print(f"Published numbers ({reference.PUBLISHED}):\n{in_print.to_string(index=False)}")
    except StudyError as error:
        mistakes.append(str(error))
    if mistakes:
        raise StudyError("\n".join(mistakes))
    return int(disagreeing)


def _report(options: argparse.Namespace) -> None:
    from entropy_sums.report import write
    from entropy_sums.study.pictures import CERTIFICATES

    grid = _grid(options)
    folder = grid.whole.folder
    figures = [folder / "figures" / name for name in (*grid.pictures, CERTIFICATES)]
    tree = _tree(folder / "traces.nc")
    write(tree, figures, options.output or folder / "report.html", grid.whole.catalogue)


def _tree(path: Path):
    """A collected file, read whole: figures and tables look at every number many times."""
    import xarray as xr

    from entropy_sums.collect import TraceError

    if not path.exists():
        raise TraceError(f"{path}: not there; `entropy-sums collect` writes it")
    try:
        with xr.open_datatree(path, engine="netcdf4") as tree:
            tree.load()
    except (OSError, RuntimeError) as error:
        raise TraceError(f"{path}: damaged or no NetCDF file ({error}); collect it anew") from error
    if "study" not in tree.attrs or not tree.children:
        raise TraceError(
            f"{path}: not a collected file; give the traces.nc of a study, which `entropy-sums collect` writes"
        )
    return tree


def _settings(options: argparse.Namespace) -> None:
    from entropy_sums.study.explain import describe, overview

    catalogue = _catalogue(options)
    described = "\n\n".join(describe(name, catalogue) for name in options.names)
    print(described or overview(catalogue))


def _schema(options: argparse.Namespace) -> None:
    from entropy_sums.study.schema import Study

    print(json.dumps(Study.model_json_schema(), indent=2))


if __name__ == "__main__":
    sys.exit(main())
