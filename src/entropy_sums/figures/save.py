"""Saving of figures in all formats, without traces of time or place."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from entropy_sums.figures.style import RC
from entropy_sums.files import atomic

NOTE = 0.14
"""Height in inches of a line below all panels."""


def save(figure: Figure, path: Path | str, caption: str, note: str | None = None) -> None:
    """Write `path` with .pdf, .svg and .png (300 dpi) appended, and .txt for the caption.

    The same figure gives the same bytes.

    Args:
        note: text below the panels, and at the end of the caption.

    Example:
        >>> import tempfile
        >>> from entropy_sums.figures.layout import facets
        >>> from entropy_sums.figures.style import COLUMN_WIDTH
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(facets(1, 1, COLUMN_WIDTH, [1])[0], f"{folder}/empty", "Nothing.")
        ...     sorted(file.suffix for file in Path(folder).iterdir())
        ['.pdf', '.png', '.svg', '.txt']
    """
    # A date or a version in the metadata would make equal figures differ
    undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {"Software": None}}
    with mpl.rc_context(RC):
        below = _write_below(figure, note) if note else 0.0
        caption = f"{caption} {note}" if note else caption
        # One layout for all formats: it is the slowest part of drawing
        if engine := figure.get_layout_engine():
            engine.execute(figure)
        figure.set_layout_engine("none")
        for text in figure.texts:
            if text.get_text() and text.get_text() == figure.get_supxlabel():
                # Laid out at the lower edge of the figure, whatever is kept free there
                text.set_y(text.get_position()[1] + below)
        for ax in figure.axes:
            # Its solver goes by memory addresses: the last digits differ from run to run, and names made of them
            left, bottom, width, height = (round(value, 9) for value in ax.get_position(original=True).bounds)
            ax.set_position((left, bottom, width, height))
        for suffix, metadata in undated.items():
            with atomic(Path(f"{path}{suffix}")) as temporary:
                figure.savefig(temporary, dpi=300, metadata=metadata)
    with atomic(Path(f"{path}.txt")) as temporary:
        temporary.write_text(caption + "\n", encoding="utf-8")


def _write_below(figure: Figure, note: str) -> float:
    """Write a line of small print, for which the figure grows; returns its share of the height."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(note, int(22 * width))
    figure.set_size_inches(width, height + NOTE * len(lines))
    share = NOTE * len(lines) / figure.get_figheight()
    if engine := figure.get_layout_engine():
        left, bottom, across, up = engine.get().get("rect", (0, 0, 1, 1))
        figure.set_layout_engine("constrained", rect=(left, bottom + share, across, up - share))
    figure.text(0.01, 0.02 / figure.get_figheight(), "\n".join(lines), fontsize=6, color="0.35", va="bottom")
    return share
