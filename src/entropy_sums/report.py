"""Report of a study: one HTML file with all its results, readable without a network and without this package."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path

import jinja2
import xarray as xr

from entropy_sums.analysis import cells, names
from entropy_sums.files import atomic
from entropy_sums.study import pictures
from entropy_sums.study.catalogue import BUILT_IN, Catalogue
from entropy_sums.tables import words


def write(
    tree: xr.DataTree, figure_paths: Iterable[Path | str], path: Path | str, catalogue: Catalogue = BUILT_IN
) -> None:
    """Write the report of a study.

    Args:
        tree: collected traces, as in docs/results-format.md.
        figure_paths: paths of the pictures without a suffix, as `figures.render` named them, in the order of the
            report; the SVG and the caption beside it are put into the file.
        path: HTML file to write.
        catalogue: catalogue of the study, with the figures and tables of its plugins.

    Raises:
        FileNotFoundError: a picture or its caption is missing.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(tree, [], f"{folder}/report.html")
        ...     "Entropy Sums: example" in Path(f"{folder}/report.html").read_text(encoding="utf-8")
        True
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("entropy_sums"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    frames = {name: table.frame(tree) for name, table in catalogue.tables.items()}
    counts = frames["final"][["runs", "diverged", "missing"]].sum()
    with names.known(names.shown_by(tree)):
        tables = [
            {"name": name, "declared": catalogue.tables[name], "rows": words.display(catalogue.tables[name], frame)}
            for name, frame in frames.items()
            if len(frame)
        ]
        absent = [names.readable(model) for model in cells.absent(tree)]
        figures = [_figure(Path(stem), catalogue) for stem in figure_paths]
    page = environment.get_template("report.html").render(
        study=tree.attrs["study"],
        protocol=tree.attrs["protocol"],
        configuration=_indented(tree.attrs["configuration"]),
        versions=_indented(tree.attrs["versions"]),
        absent=absent,
        figures=figures,
        tables=tables,
        runs=counts.sum(),
        diverged=counts["diverged"],
        missing=counts["missing"],
    )
    with atomic(Path(path)) as temporary:
        temporary.write_text(page + "\n", encoding="utf-8")


def _indented(text: str) -> str:
    return json.dumps(json.loads(text), indent=2)


def _figure(stem: Path, catalogue: Catalogue) -> dict[str, str]:
    for suffix in (".svg", ".txt"):
        if not Path(f"{stem}{suffix}").exists():
            raise FileNotFoundError(f"{stem}{suffix} is missing: draw the figure {stem.name} before the report")
    own = stem.name == pictures.CERTIFICATES
    kind, part = (stem.name, None) if own else pictures.split(stem.name, catalogue.figures)
    return {
        "name": stem.name,
        "title": names.readable(kind).capitalize() + (f": {names.readable(part)}" if part else ""),
        "data": base64.b64encode(Path(f"{stem}.svg").read_bytes()).decode(),
        "caption": Path(f"{stem}.txt").read_text(encoding="utf-8").strip(),
    }
