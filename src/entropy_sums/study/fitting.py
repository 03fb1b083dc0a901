"""Check whether model, data and training fit together, with reasons if not. Light, because planning imports it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from entropy_sums.data.base import DatasetSettings
from entropy_sums.models.base import Ability, ModelSettings
from entropy_sums.supports import CONTAINED, WORDS, Support
from entropy_sums.training.optimizers.catalogue import OPTIMIZERS
from entropy_sums.training.settings import PhaseSettings, TrainingSettings

if TYPE_CHECKING:
    from entropy_sums.data.checks import LostColumn, Size
    from entropy_sums.data.dataset import Dataset

MOST_SHOWN = 6
"""Largest number of cells, or of pairs of model and dataset, that a line names."""


@dataclass(frozen=True)
class Data:
    """Known facts about data, from their settings or from the points themselves; None if unknown.

    Attributes:
        points: number of training points.
        held_out: number of held-out points.
        dim: number of dimensions.
        supports: every support that contains all points.
        true_weights: shape (D, H) of the true weights; None if there are none.
        lost: columns whose digits float32 cannot hold; those of held-out points if it holds all training points.
        size: root mean square of all training values, and the column in which it is largest with its value there.
    """

    points: int | None
    held_out: int | None
    dim: int | None
    supports: frozenset[Support] | None
    true_weights: tuple[int, int] | None
    lost: tuple[LostColumn, ...] = ()
    size: Size | None = None

    @classmethod
    def declared(cls, settings: DatasetSettings) -> Data:
        """Facts that follow from the settings, before the data are made.

        Example:
            >>> from entropy_sums.data.linear import PCA
            >>> Data.declared(PCA(train=50))
            Data(points=50, held_out=1000, dim=10, supports=frozenset({'real'}), true_weights=(10, 2), ...)
        """
        points, dim = settings.shape or (None, None)
        supports = None if settings.support is None else CONTAINED[settings.support]
        return cls(points, settings.held_out, dim, supports, settings.true_weights)

    @classmethod
    def read(cls, dataset: Dataset, precision: str = "float64") -> Data:
        """Facts that follow from the data themselves, as training in this precision sees them."""
        import numpy as np

        from entropy_sums.data.checks import Size, lost_columns, rounded_to, supports

        single = np.dtype(np.float32)
        lost = lost_columns(dataset.train, single) or lost_columns(dataset.test, single)
        points, dim = dataset.train.shape
        weights = dataset.truth.get("weights")
        shape = None if weights is None else (weights.shape[0], weights.shape[1])
        train, test = (rounded_to(part, np.dtype(precision)) for part in (dataset.train, dataset.test))
        common = supports(train) & supports(test)
        return cls(points, len(dataset.test), dim, common, shape, tuple(lost), Size.of(dataset.train))


@dataclass(frozen=True)
class Combination:
    """Settings of a run with the known facts about its data and its model, which have to fit together."""

    model: ModelSettings
    dataset: DatasetSettings
    training: TrainingSettings
    data: Data
    abilities: frozenset[Ability] | None

    @property
    def phases(self) -> Iterator[tuple[str, PhaseSettings]]:
        """Place of each phase of training in a study file, and its settings."""
        return ((f"training.phases.{position}", phase) for position, phase in enumerate(self.training.phases))

    def lacks(self, needed: Iterable[Ability]) -> list[Ability]:
        """Needed abilities that the model is known to lack."""
        return [ability for ability in needed if self.abilities is not None and ability not in self.abilities]


Rule = Callable[[Combination], Iterator[str]]
"""Function that yields the reasons why a cell does not fit together, each with its key and the fix."""


def _support(cell: Combination) -> Iterator[str]:
    wanted, found = cell.model.support, cell.data.supports
    if found is None or wanted in found:
        return
    remedy = [
        _written(name, value)
        for name, value in cell.dataset.remedies.get(wanted, {}).items()
        if getattr(cell.dataset, name) != value
    ]
    fix = f"set {' and '.join(remedy)}, or choose another model" if remedy else "choose other data or another model"
    yield (
        f"axes.model: the model is a distribution over {WORDS[wanted]}, and the data have other values: its ELBO would "
        f"bound no likelihood; {fix}"
    )


def _dimension(cell: Combination) -> Iterator[str]:
    if cell.data.dim is not None and (reason := cell.model.dimension_misfit(cell.data.dim)):
        yield reason


def _truth(cell: Combination) -> Iterator[str]:
    if reason := cell.model.truth_misfit(cell.data.true_weights):
        yield reason


def _optimizer(cell: Combination) -> Iterator[str]:
    for where, phase in cell.phases:
        for ability in cell.lacks(phase.kind.needs):
            able = [name for name, kind in OPTIMIZERS.items() if not cell.lacks(kind.needs)]
            fixes = [f"choose {_either(able)}", *_defaults_where(cell.model, partial(_is_able, ability))]
            yield (
                f"{where}.optimizer: {phase.optimizer} needs {ability}, which the model does not have; "
                f"{', or write '.join(fixes)}"
            )


def _prior_weight(cell: Combination) -> Iterator[str]:
    for where, phase in cell.phases:
        if phase.prior_weight != 1:
            for ability in cell.lacks([Ability.PRIOR_WEIGHT]):
                yield (
                    f"{where}.prior_weight: {phase.prior_weight} needs {ability}, which the model does not have; "
                    "write prior_weight: 1"
                )


def _samples(cell: Combination) -> Iterator[str]:
    least = cell.model.least_samples
    for where, phase in cell.phases:
        if phase.samples < least:
            others = _defaults_where(cell.model, partial(_does_with, phase.samples))
            fixes = [f"write samples: {least} or more", *others]
            yield (
                f"{where}.samples: the gradient of the model has a leave-one-out baseline, which needs at least "
                f"{least} posterior samples per point, here {phase.samples}; {', or '.join(fixes)}"
            )


def _pretraining(cell: Combination) -> Iterator[str]:
    pretraining, steps = cell.model.pretraining, cell.training.steps
    if pretraining and pretraining >= steps:
        yield (
            f"pretraining_steps: layers are pretrained for {pretraining} steps and training has {steps}, so the ELBO "
            "is never ascended; lower pretraining_steps, or raise training.phases.….steps"
        )


def _minibatches(cell: Combination) -> Iterator[str]:
    if not cell.training.evaluation.batches:
        return
    key, fix = "training.evaluation.batches", "write batches: false"
    for ability in cell.lacks([Ability.BOUND]):
        others = _defaults_where(cell.model, partial(_is_able, ability))
        yield f"{key}: true needs {ability}, which the model does not have; {', or '.join([fix, *others])}"
    for position, phase in enumerate(cell.training.phases):
        ascends = phase.kind.ascends_bound
        if not ascends or phase.prior_weight != 1:
            other = "prior_weight" if ascends else "optimizer"
            yield (
                f"{key}: phase {position} has {_written(other, getattr(phase, other))}, and does not ascend the bound "
                f"of its minibatch; {fix}"
            )


def _batch_size(cell: Combination) -> Iterator[str]:
    points = cell.data.points
    for where, phase in cell.phases:
        if points is not None and phase.batch_size != "full" and phase.batch_size > points:
            yield (
                f"{where}.batch_size: {phase.batch_size} is more than the {points} training points; lower it or write "
                "full"
            )


def _digits(cell: Combination) -> Iterator[str]:
    if cell.training.precision == "float32" and cell.data.lost:
        from entropy_sums.data.checks import in_words

        fixes = ["write precision: float64"]
        if all(column.centred for column in cell.data.lost):
            key = " (scale: centre)" if _scales(cell.dataset) else ""
            fixes.insert(0, f"subtract its mean{key}" if len(cell.data.lost) == 1 else f"subtract their means{key}")
        yield f"training.precision: float32 cannot hold {in_words(cell.data.lost)}; {', or '.join(fixes)}"


def _scale(cell: Combination) -> Iterator[str]:
    size = cell.data.size
    if cell.model.support != "real" or size is None or (reason := size.far_from_one) is None:
        return
    fix = "set scale: standardise, or scale: unit for images" if _scales(cell.dataset) else "divide them by their size"
    yield (
        f"scale: the data are far from a scale of one, for which initial values and learning rates are made: {reason}; "
        f"{fix}"
    )


def _scales(dataset: DatasetSettings) -> bool:
    """Whether a dataset can scale its points."""
    field = type(dataset).model_fields.get("scale")
    return field is not None and field.default == "none"


def _subset_sizes(cell: Combination) -> Iterator[str]:
    held_out = cell.data.held_out
    if held_out is None:
        return
    if larger := [str(size) for size in cell.training.evaluation.subset_sizes if size > held_out]:
        more = "raise test" if cell.dataset.held_out is not None else "hold out more"
        yield (
            f"training.evaluation.subset_sizes: {_either(larger)} is more than the {held_out} held-out points; leave "
            f"it out, or {more}"
        )


OF_DATA: tuple[Rule, ...] = (_support, _dimension, _truth)
"""Rules between model and data."""

OF_TRAINING: tuple[Rule, ...] = (
    _optimizer,
    _prior_weight,
    _samples,
    _pretraining,
    _minibatches,
    _batch_size,
    _subset_sizes,
    _digits,
)
"""Rules between training, model and data."""


CAUTIONS: tuple[Rule, ...] = (_scale,)
"""Rules whose reasons are warnings: the cell can be trained, and may not learn."""


def misfits(
    model: ModelSettings,
    dataset: DatasetSettings,
    training: TrainingSettings,
    data: Data | None = None,
    abilities: frozenset[Ability] | None = None,
    rules: Iterable[Rule] = OF_DATA + OF_TRAINING,
) -> list[str]:
    """All reasons why these settings do not fit together, each with its key and the fix; none if they fit.

    Args:
        data: known facts about the data; by default those that their settings declare.
        abilities: abilities of the model; by default those that its settings declare.
        rules: rules to check.

    Example:
        >>> from entropy_sums.data.linear import PCA
        >>> from entropy_sums.models import MODELS
        >>> misfits(MODELS["vae1"](), PCA(train=50), TrainingSettings())
        ['training.phases.0.batch_size: 100 is more than the 50 training points; lower it or write full']
    """
    known, able = data or Data.declared(dataset), model.abilities if abilities is None else abilities
    cell = Combination(model, dataset, training, known, able)
    return [reason for rule in rules for reason in rule(cell)]


def lines(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """A line for every reason, with the cells that it concerns.

    Args:
        reasons: pairs of a cell and a reason.

    Example:
        >>> lines([("vae1/pca", "too large"), ("vae2/pca", "too large"), ("vae2/pca", "too slow")])
        ['too large (vae1/pca, vae2/pca)', 'too slow (vae2/pca)']
    """
    found: dict[str, list[str]] = {}
    for cell, reason in reasons:
        found.setdefault(reason, []).append(cell)
    return [f"{reason} ({_cut(cells)})" for reason, cells in found.items()]


def _cut(cells: list[str]) -> str:
    """Names of the cells if they are few, or else pairs of model and dataset, each with its number of cells.

    Example:
        >>> _cut(["vae1/pca", "vae1/pca/latent_dim=4"])
        'vae1/pca, vae1/pca/latent_dim=4'
        >>> _cut([f"vae{i}/pca/latent_dim={h}" for i in range(9) for h in range(3)])
        '27 cells: 3 of vae0/pca, 3 of vae1/pca, 3 of vae2/pca, 3 of vae3/pca, 3 of vae4/pca, 3 of vae5/pca, …'
    """
    if len(cells) <= MOST_SHOWN:
        return ", ".join(cells)
    counts = Counter("/".join(cell.split("/")[:2]) for cell in cells)
    shown = [f"{number} of {pair}" for pair, number in counts.items()]
    return f"{len(cells)} cells: " + ", ".join(shown[:MOST_SHOWN] + ["…"] * (len(shown) > MOST_SHOWN))


def _is_able(ability: Ability, settings: ModelSettings) -> bool:
    return ability in (settings.abilities or ())


def _does_with(samples: int, settings: ModelSettings) -> bool:
    return settings.least_samples <= samples


def _defaults_where(settings: ModelSettings, holds: Callable[[ModelSettings], bool]) -> list[str]:
    """Settings at their defaults, as written in a study file, each of which alone makes the condition hold."""
    defaults = {name: field.default for name, field in type(settings).model_fields.items() if not field.is_required()}
    return [
        _written(name, default)
        for name, default in defaults.items()
        if default != getattr(settings, name) and holds(settings.model_copy(update={name: default}))
    ]


def _written(name: str, value: Any) -> str:
    """A setting as written in a study file."""
    return f"{name}: {value if isinstance(value, str) else json.dumps(value)}"


def _either(words: list[str]) -> str:
    """Words as a choice.

    Example:
        >>> _either(["a", "b", "c"]), _either(["a"])
        ('a, b or c', 'a')
    """
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
