"""Figures of a study, one module each, which `render` draws by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from entropy_sums.study.pictures import FIGURES, Figure, split

if TYPE_CHECKING:
    import xarray as xr


def render(name: str, tree: xr.DataTree, path: Path | str, known: Mapping[str, Figure] = FIGURES) -> None:
    """Draw the picture `name` of a collected tree: `path` with each of `SUFFIXES` appended.

    Args:
        name: one of `names(...)`, such as `gap_by_model` or `traces_digits`.
        tree: as in docs/results-format.md.
        path: path of the files without suffix; its folder is created.
        known: all figures by name.

    Raises:
        KeyError: there is no such picture, or the study has no such dataset or panels.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     render("gap_by_model", tree, Path(folder) / "gap")
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['gap.pdf', 'gap.png', 'gap.svg', 'gap.txt']
    """
    from entropy_sums.analysis import cells, names
    from entropy_sums.figures.save import save

    kind, part = split(name, known)
    figure = known[kind]
    narrowed = {"dataset": cells.narrow, "panels": cells.panels}
    if part is not None:
        tree = narrowed[figure.of_each](tree, part)
    # Loaded once: figures select cell after cell, and each would be read from the file again
    tree = tree.load()
    draw, caption = figure.code()
    with names.known(names.shown_by(tree)):
        save(draw(tree), path, caption(tree), cells.note(tree))
