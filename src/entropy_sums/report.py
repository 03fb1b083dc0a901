"""One HTML file with everything a study found, readable without a network and without this package."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import xarray as xr

from entropy_sums.analysis import cells, names
from entropy_sums.files import atomic
from entropy_sums.study import pictures
from entropy_sums.study.catalogue import BUILT_IN, Catalogue
from entropy_sums.tables import final, selection, subsets, words
from entropy_sums.tables.write import makers

FURTHER = {
    "subsets": ("Estimates from few held-out points", subsets.SUBSETS),
    "model_selection": ("Model selection in a stream of data", selection.SELECTION),
}
"""Table → its title, and what its columns hold."""


def write(
    tree: xr.DataTree,
    figure_paths: Iterable[Path | str],
    table: pd.DataFrame,
    path: Path | str,
    catalogue: Catalogue = BUILT_IN,
) -> None:
    """Write the report of a study.

    Args:
        tree: collected, as in docs/results-format.md.
        figure_paths: the pictures as `figures.render` named them, without a suffix, in the order of the report;
            the SVG and the caption beside it are put into the file.
        table: of `final.final_table`, or its CSV read back.
        path: the HTML file to write.
        catalogue: of the study, with the figures and tables of its plugins.

    Raises:
        FileNotFoundError: a picture or its caption is missing.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(tree, [], final.final_table(tree), f"{folder}/report.html")
        ...     "Entropy Sums: example" in Path(f"{folder}/report.html").read_text(encoding="utf-8")
        True
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("entropy_sums"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    counts = table[["runs", "diverged", "missing"]].sum()
    page = environment.get_template("report.html").render(
        study=tree.attrs["study"],
        protocol=tree.attrs["protocol"],
        configuration=_indented(tree.attrs["configuration"]),
        versions=_indented(tree.attrs["versions"]),
        absent=[names.readable(model) for model in cells.absent(tree)],
        figures=[_figure(Path(stem), catalogue) for stem in figure_paths],
        table=words.display(table),
        columns=final.COLUMNS,
        further=list(_further(tree, catalogue)),
        runs=counts.sum(),
        diverged=counts["diverged"],
        missing=counts["missing"],
    )
    with atomic(Path(path)) as temporary:
        temporary.write_text(page + "\n", encoding="utf-8")


def _further(tree: xr.DataTree, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """The tables beside that of the end of training which have rows."""
    known = makers(catalogue.tables)
    of_plugins = {name: (table.title, table.columns) for name, table in catalogue.tables.items()}
    for name, (title, columns) in {**FURTHER, **of_plugins}.items():
        table = known[name](tree)
        if len(table):
            yield {"name": name, "title": title, "table": words.display(table), "columns": columns}


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
