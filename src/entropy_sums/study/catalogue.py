"""Catalogue of the models, datasets, figures, tables and optimisers that a study may name, built in or from plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from entropy_sums.data.base import DatasetSettings
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models.base import ModelSettings
from entropy_sums.models.catalogue import MODELS
from entropy_sums.modules import load
from entropy_sums.quantities import group_name
from entropy_sums.settings import own
from entropy_sums.study.errors import StudyError
from entropy_sums.study.pictures import CERTIFICATES, FIGURES, Figure, split
from entropy_sums.study.plugins import Plugin
from entropy_sums.study.tables import CERTIFICATES as CERTIFICATES_TABLE
from entropy_sums.study.tables import Table
from entropy_sums.training.optimizers.base import Optimizer
from entropy_sums.training.optimizers.catalogue import OPTIMIZERS
from entropy_sums.training.settings import TrainingSettings


@dataclass(frozen=True)
class Catalogue:
    """Everything that a study may name.

    Attributes:
        models, datasets: settings class by name.
        figures: declaration by name.
        optimizers: class by name.
        tables: declaration by name.
        plugins: digest of the source of each plugin, by its name in the study file.
        sources: settings class, or optimiser, of a plugin → digest of the source of that plugin.

    Example:
        >>> "vae1" in BUILT_IN.models, "pca" in BUILT_IN.datasets, "traces" in BUILT_IN.figures
        (True, True, True)
        >>> list(BUILT_IN.tables)
        ['final', 'model_selection', 'subsets']
    """

    models: Mapping[str, type[ModelSettings]]
    datasets: Mapping[str, type[DatasetSettings]]
    figures: Mapping[str, Figure]
    optimizers: Mapping[str, type[Optimizer]]
    tables: Mapping[str, Table]
    plugins: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[type, str] = field(default_factory=dict)

    def with_plugins(self, plugins: Mapping[str, Plugin]) -> Catalogue:
        """The catalogue extended by the members of plugins.

        Args:
            plugins: name in the study file → loaded plugin.

        Raises:
            StudyError: a plugin uses a name that is already taken.
        """
        known: dict[str, dict[str, Any]] = {
            "MODELS": {**self.models},
            "DATASETS": {**self.datasets},
            "FIGURES": {**self.figures},
            "OPTIMIZERS": {**self.optimizers},
            "TABLES": {**self.tables},
        }
        sources = dict(self.sources)
        for plugin in plugins.values():
            for kind, members in plugin.members.items():
                for name, member in members.items():
                    if problem := CLASHES[kind](name, member, known[kind]):
                        raise StudyError(f"{plugin.where}: {kind}: {name!r}: {problem}")
                    known[kind][name] = member
            for kind in ("MODELS", "DATASETS", "OPTIMIZERS"):
                sources |= dict.fromkeys(plugin.members[kind].values(), plugin.digest)
        digests = {**self.plugins, **{name: plugin.digest for name, plugin in plugins.items()}}
        return Catalogue(
            known["MODELS"],
            known["DATASETS"],
            known["FIGURES"],
            known["OPTIMIZERS"],
            known["TABLES"],
            digests,
            sources,
        )

    @property
    def shown(self) -> dict[str, dict[str, Any]]:
        """Labels and looks that models (by group) and datasets of plugins declare: `label`, `look` of each.

        A collected file has them, as whoever draws it may not have the plugins.
        """
        members = {group_name(name): schema for name, schema in self.models.items()} | {**self.datasets}
        found = {
            name: {key: value for key in ("label", "look") if (value := own(schema, key))}
            for name, schema in members.items()
            if schema in self.sources
        }
        return {name: said for name, said in found.items() if said}

    def figure(self, picture: str) -> Figure:
        """The figure to which a picture belongs.

        Raises:
            KeyError: no figure has this picture.
        """
        return self.figures[split(picture, self.figures)[0]]

    def code(
        self, model: type[ModelSettings], dataset: type[DatasetSettings], training: TrainingSettings
    ) -> dict[str, str]:
        """Digests of the plugin code that a run depends on, by the block of its settings that names the plugin.

        The blocks are `model`, `dataset`, `training.phases.0` and so on.
        """
        phases = {f"training.phases.{position}": phase.kind for position, phase in enumerate(training.phases)}
        kinds = {"model": model, "dataset": dataset, **phases}
        return {block: self.sources[kind] for block, kind in kinds.items() if kind in self.sources}


def _clash_of_settings(kind: str, key: Callable[[str], str]) -> Callable[[str, Any, Mapping[str, Any]], str | None]:
    def clash(name: str, member: Any, known: Mapping[str, Any]) -> str | None:
        for other, schema in known.items():
            if key(other) == key(name):
                return f"{other!r} is a {kind} already; choose another name"
            if schema is member:
                return f"its settings are those of {other!r}; make a subclass of them"
        return None

    return clash


def _clash_of_figures(name: str, member: Figure, known: Mapping[str, Figure]) -> str | None:
    if name in known or name == CERTIFICATES:
        return f"{name!r} is a figure already; choose another name"
    for other, figure in known.items():
        # The name of a picture, `<figure>_<part>`, must identify its figure
        if (figure.of_each and name.startswith(f"{other}_")) or (member.of_each and other.startswith(f"{name}_")):
            return f"reads as a picture of {min(name, other, key=len)!r}, as {other!r} is a figure, too; rename it"
    return None


def _clash_of_optimizers(name: str, member: type[Optimizer], known: Mapping[str, type[Optimizer]]) -> str | None:
    for other, kind in known.items():
        if name == other:
            return f"{name!r} is an optimiser already; choose another name"
        if kind is member:
            return f"its class is that of {other!r}; make a subclass of it"
    return None


def _clash_of_tables(name: str, member: Table, known: Mapping[str, Table]) -> str | None:
    return f"{name!r} is a table already; choose another name" if name in (*known, CERTIFICATES_TABLE) else None


CLASHES: dict[str, Callable[[str, Any, Mapping[str, Any]], str | None]] = {
    "MODELS": _clash_of_settings("model", group_name),
    "DATASETS": _clash_of_settings("dataset", str.lower),
    "FIGURES": _clash_of_figures,
    "OPTIMIZERS": _clash_of_optimizers,
    "TABLES": _clash_of_tables,
}
"""Kind of member → function that gives the reason why a new member clashes with the known ones, or None."""

BUILT_IN = Catalogue(MODELS, DATASETS, FIGURES, OPTIMIZERS, load("entropy_sums.tables:TABLES"))
"""The members of this package, without plugins."""
