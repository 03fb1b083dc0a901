"""The certificates of all models of a study: for which of them must ELBO and entropy sum agree at convergence?"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropy_sums.certificates.verdict import Verdict, as_text
from entropy_sums.data import data_file
from entropy_sums.data.dataset import Dataset
from entropy_sums.files import atomic
from entropy_sums.models import ModelSettings, build
from entropy_sums.study import fitting
from entropy_sums.study.grid import Grid, Run, data_name
from entropy_sums.study.pictures import CERTIFICATES

if TYPE_CHECKING:
    from entropy_sums.certificates.certificate import Certificate


def structures(grid: Grid) -> dict[tuple[Any, ...], Run]:
    """Runs of a study, one for every combination of model settings and data; training settings are ignored.

    Example:
        >>> from entropy_sums.study.schema import Study
        >>> axes = {"model": ["vae1"], "dataset": ["pca"], "steps": [10, 20], "beta": [1.0, 2.0], "seed": [0]}
        >>> [key[2] for key in structures(Grid(Study(study="a", axes=axes)))]
        ['beta=1.0', 'beta=2.0']
    """
    # The runs of many seeds share their settings: each combination is used once
    distinct: dict[tuple[int, int], Run] = {}
    for run in grid.runs:
        distinct.setdefault((id(run.model_settings), id(run.dataset_settings)), run)
    found: dict[tuple[Any, ...], Run] = {}
    for run in distinct.values():
        key = (run.model, run.dataset, _told_apart(run), run.model_settings.model_dump_json(), data_name(run))
        found.setdefault(key, run)
    return found


def _told_apart(run: Run) -> str:
    kept = type(run.model_settings).model_fields.keys() | type(run.dataset_settings).model_fields.keys()
    axes = {axis: value for axis, value in run.coordinates.items() if axis.split(".")[-1] in kept}
    return ", ".join(f"{axis}={value}" for axis, value in axes.items())


def verdicts(grid: Grid, data: Callable[[str], Path], trials: int) -> Iterator[Verdict]:
    """Certify every model of a study, in float64, at random parameters.

    Args:
        data: function from the name of a dataset in the study to its file.
        trials: number of parameter values to try.

    Raises:
        ValueError: a model does not fit its data.
    """
    import torch

    from entropy_sums.certificates import certificate, packing
    from entropy_sums.training.randomness import Purpose, generator

    torch.set_num_threads(1)
    for (model, dataset, settings, *_), run in structures(grid).items():
        read = Dataset.read(data(data_name(run)))
        known, cell = fitting.Data.read(read), (run.model_settings, run.dataset_settings, run.training)
        if reasons := fitting.misfits(*cell, known, rules=fitting.OF_DATA):
            raise ValueError("\n".join(f"{model} on {dataset}: {reason}" for reason in reasons))
        points = torch.as_tensor(read.train, dtype=torch.float64)
        packed, dim = _packed_with(run, grid), points.shape[1]
        packing.check_build(packed, dim, lambda: [torch.Generator().manual_seed(seed) for seed in range(2)])
        built = build([run.model_settings], dim, [torch.Generator().manual_seed(run.seed)])
        built.double().start(points, [generator(run.seed, Purpose.START)])
        found = certificate.certify(built, points, seed=run.seed, trials=trials, reach=True)
        for factor in found.factors:
            yield _verdict(model, dataset, settings, factor, found)


def _packed_with(run: Run, grid: Grid) -> list[ModelSettings]:
    """Settings of a pack that the run may share: with other packed settings if the study has any, else with its own."""
    own = run.model_settings

    def shared(settings: ModelSettings) -> dict[str, Any]:
        return settings.model_dump(exclude=settings.packed())

    fellows = (other.model_settings for other in grid.runs if type(other.model_settings) is type(own))
    other = next((settings for settings in fellows if settings != own and shared(settings) == shared(own)), own)
    return [other, own]


def _verdict(model: str, dataset: str, settings: str, factor: str, certificate: Certificate) -> Verdict:
    smallest, largest = certificate.norm(factor)
    return Verdict(
        model,
        dataset,
        settings,
        factor,
        holds=certificate.holds(factor),
        direction=certificate.direction_of(factor),
        residual=certificate.residual(factor),
        smallest_residual=float(certificate.residuals[certificate.factors.index(factor)].min()),
        trials=certificate.trials,
        directions=len(certificate.directions),
        equations=certificate.equations,
        verdict=certificate.verdict(factor),
        norm=largest,
        smallest_norm=smallest,
        places=certificate.places,
    )


def write(rows: list[Verdict], path: Path) -> None:
    """Write verdicts as CSV, a row per factor; the columns are the attributes of `Verdict`."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Verdict)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def certify(grid: Grid, trials: int, table: Path | None = None, figure: Path | None = None) -> None:
    """Print the verdicts of a study as they come, then write their table and draw their figure.

    Args:
        trials: number of random parameter values per model.
        table: CSV file to write; by default `tables/certificates.csv` of the study.
        figure: path without suffix; by default `figures/certificates` of the study.
    """
    folder, found = grid.study.folder, []

    def made(name: str) -> Path:
        return data_file(grid.dataset(name), grid.study.data_dir, grid.data_path(name))

    for verdict in verdicts(grid, made, trials):
        print(as_text(verdict), flush=True)
        found.append(verdict)
    write(found, table or folder / "tables" / f"{CERTIFICATES}.csv")
    # Drawing imports the style of all figures, which takes longer than a small study
    from entropy_sums.analysis import names
    from entropy_sums.figures import certificates
    from entropy_sums.figures.save import save

    with names.known(grid.study.catalogue.shown):
        save(
            certificates.draw(found),
            figure or folder / "figures" / CERTIFICATES,
            certificates.caption(found),
            grid.study.note,
        )
