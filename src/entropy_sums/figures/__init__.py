"""Figures of a study, one module each, which `render` draws by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from entropy_sums.study.pictures import FIGURES, split

if TYPE_CHECKING:
    import xarray as xr


def render(name: str, tree: xr.DataTree, path: Path | str) -> None:
    """Draw the picture `name` of a collected tree: `path` with each of `SUFFIXES` appended.

    Args:
        name: one of `names(...)`, such as `gap_by_model` or `traces_digits`.
        tree: as in docs/results-format.md.
        path: where to, without a suffix; its folder is made.

    Raises:
        KeyError: there is no such picture, or the study has no such dataset or panels.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     render("gap_by_model", tree, Path(folder) / "gap")
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['gap.pdf', 'gap.png', 'gap.svg', 'gap.txt']
    """
    from entropy_sums.analysis import cells
    from entropy_sums.figures.save import save

    figure, part = split(name)
    narrowed = {"dataset": cells.narrow, "panels": cells.panels}
    if part is not None:
        tree = narrowed[FIGURES[figure]](tree, part)
    # Once: figures select cell after cell, each of which would be read from the file again
    tree = tree.load()
    module = import_module(f"entropy_sums.figures.{figure}")
    save(module.draw(tree), path, module.caption(tree), cells.note(tree))
