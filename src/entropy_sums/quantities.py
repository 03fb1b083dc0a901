"""Recorded quantities, each declared once with its meaning, unit, and display in figures and tables.

Values that are computed under a name of `PER_STEP` or `PER_RUN` are written, read, collected and documented by these
declarations. A quantity with `at_end` has a column in the table of final numbers, one with a `line` a curve in the
figure of traces. `python docs/tables.py` writes the declarations as tables into docs/results-format.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

FORMAT = "entropy-sums trace 2"

NATS = "nats per data point"

PREFIXES = {"train": "", "test": "heldout_"}
"""Part of the data → prefix of the names of quantities on it."""

LIMITS = {"_low": "lower limit, 95 %", "_high": "upper limit, 95 %"}
"""Suffix of the names of interval limits → limit in words."""


@dataclass(frozen=True)
class Shown:
    """Display of a quantity in figures and tables.

    Attributes:
        label: label on axes and in legends; by default its name in words.
        colour: colour of its lines and markers; None where no figure draws it by itself.
        line: style of its curve against the steps; None for no curve in the figure of traces.
        at_end: description of its column in the table of final numbers; empty for no column.
        digits: number of significant digits in tables, where there is no interval.
        compared: whether `entropy-sums compare` compares it, in every table that has it.
    """

    label: str = ""
    colour: str | None = None
    line: str | None = None
    at_end: str = ""
    digits: int = 4
    compared: bool = False


@dataclass(frozen=True)
class Quantity:
    """Quantity of a run, as files have it.

    Attributes:
        name: name of its variable.
        meaning: its `long_name`.
        unit: its `units`.
        dimensions: dimensions beside those of the runs; with `step` it is recorded at every recorded step, else once.
        shown: display in figures and tables.
        heldout: display of its twin on held-out data; None where it has none.
        limits: whether limits of an interval for its Monte Carlo error are recorded beside it.
        from_subsets: whether it is also estimated from few held-out points, at the end of training.
        of_batches: whether it is also recorded for every minibatch, if a study asks for that.
        text: whether it is text instead of a number.
        note: documentation beside the meaning, in Markdown.
    """

    name: str
    meaning: str
    unit: str
    dimensions: tuple[str, ...] = ()
    shown: Shown = Shown()
    heldout: Shown | None = None
    limits: bool = False
    from_subsets: bool = False
    of_batches: bool = False
    text: bool = False
    note: str = ""

    @property
    def label(self) -> str:
        """Label on axes and in legends.

        Example:
            >>> QUANTITIES["elbo"].label, QUANTITIES["wall_time"].label
            ('ELBO', 'wall time')
        """
        return self.shown.label or self.name.replace("_", " ")

    @property
    def attributes(self) -> dict[str, str]:
        """`long_name` and `units` of its variable.

        Example:
            >>> QUANTITIES["gap"].attributes
            {'long_name': 'ELBO minus entropy sum', 'units': 'nats per data point'}
        """
        return {"long_name": self.meaning, "units": self.unit}

    @property
    def per_step(self) -> bool:
        """Whether it is recorded at every recorded step."""
        return "step" in self.dimensions

    @property
    def twin(self) -> Quantity | None:
        """The same quantity on held-out data.

        Example:
            >>> QUANTITIES["elbo"].twin.meaning
            'evidence lower bound, held-out data'
        """
        if self.heldout is None:
            return None
        return replace(
            self,
            name=f"{PREFIXES['test']}{self.name}",
            meaning=f"{self.meaning}, held-out data",
            shown=self.heldout,
            heldout=None,
            from_subsets=False,
            of_batches=False,
        )

    def _derived(self, name: str, meaning: str, dimensions: tuple[str, ...], note: str = "") -> Quantity:
        """A quantity of the same unit that is only recorded."""
        return Quantity(name, meaning, self.unit, dimensions, note=note)


@dataclass(frozen=True)
class Dimension:
    """Dimension of a quantity beside those of the runs.

    Attributes:
        meaning: meaning of the numbers along it, as their `long_name`; empty for names of factors and for whole
            numbers counted from 0.
        unit: unit of these numbers.
        counted: whether it is counted from 0.
        label: label on axes and in tables.
    """

    name: str
    meaning: str = ""
    unit: str = ""
    counted: bool = False
    label: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """`long_name` and `units` of its coordinate.

        Example:
            >>> DIMENSIONS["step"].attributes
            {'long_name': 'optimiser steps', 'units': '1'}
        """
        return {"long_name": self.meaning, "units": self.unit}


DIMENSIONS = {
    dimension.name: dimension
    for dimension in (
        Dimension("factor"),
        Dimension("step", "optimiser steps", "1"),
        Dimension("subset", "number of held-out points of an estimate", "1", label="held-out points"),
        Dimension("latent", counted=True),
        Dimension("component", counted=True),
        Dimension("pixel", counted=True),
        Dimension("estimate", counted=True),
        Dimension("batch", counted=True),
    )
}

LABELLED = tuple(dimension.name for dimension in DIMENSIONS.values() if dimension.meaning)
"""Names of dimensions whose numbers have a meaning."""

COUNTED = tuple(dimension.name for dimension in DIMENSIONS.values() if dimension.counted)
"""Names of dimensions that are counted from 0."""

STEP, FACTORS = ("step",), ("step", "factor")

OF_ERRORS = (
    "over fresh posterior samples and, of machines without exact $\\log Z$, over the chains that are annealed for it; "
    "0 where nothing is sampled"
)

BOUND = (
    Quantity(
        "elbo",
        "evidence lower bound",
        NATS,
        STEP,
        Shown("ELBO", "#0072B2", "-", at_end="ELBO on the training set", compared=True),
        Shown("held-out ELBO", "#56B4E9", "--", at_end="ELBO on held-out data", compared=True),
        from_subsets=True,
        of_batches=True,
        note="on the whole training set",
    ),
    Quantity(
        "entropy_sum",
        "sum of entropies",
        NATS,
        STEP,
        Shown("entropy sum", "#D55E00", "-", at_end="sum of entropies on the training set", compared=True),
        Shown(),
        from_subsets=True,
        of_batches=True,
        note="of the posterior, minus those of all factors",
    ),
    Quantity(
        "gap",
        "ELBO minus entropy sum",
        NATS,
        STEP,
        Shown(at_end="ELBO minus entropy sum on the training set", compared=True),
        Shown(),
    ),
    Quantity(
        "elbo_standard_error",
        "Monte Carlo standard error of the ELBO",
        NATS,
        STEP,
        Shown(digits=2),
        Shown(),
        note=OF_ERRORS,
    ),
    Quantity(
        "entropy_sum_standard_error",
        "Monte Carlo standard error of the entropy sum",
        NATS,
        STEP,
        Shown(digits=2),
        Shown(),
        note="likewise",
    ),
    Quantity(
        "gap_standard_error",
        "Monte Carlo standard error of the gap",
        NATS,
        STEP,
        Shown(digits=2),
        Shown(),
        note="likewise",
    ),
    Quantity(
        "posterior_entropy",
        "mean entropy of the variational distributions",
        NATS,
        STEP,
        heldout=Shown(),
        from_subsets=True,
    ),
    Quantity(
        "cross_entropy",
        "cross-entropy of the posterior to each factor",
        NATS,
        FACTORS,
        heldout=Shown(),
        from_subsets=True,
        note="such as `prior` and `observation`",
    ),
    Quantity(
        "entropy",
        "expected entropy of each factor",
        NATS,
        FACTORS,
        heldout=Shown(),
        from_subsets=True,
        note="`gap` = Σ (`entropy` − `cross_entropy`)",
    ),
    Quantity(
        "log_likelihood",
        "exact log-likelihood",
        NATS,
        STEP,
        Shown("exact log-likelihood", "#000000", ":"),
        Shown("held-out log-likelihood", "#BBBBBB", ":"),
        note="of models that have it in closed form (linear VAE, factor analysis, mixtures) or as a sum over few "
        "enough states (belief networks of at most 12 directed latents, machines with a layer or side of at most 16 "
        "units, deep ones if also at most 8 hidden units lie in even layers)",
    ),
)
"""The bound and its parts on the training set; each has a twin on held-out data."""

OF_TRAINING = (
    Quantity(
        "latent_entropy",
        "mean posterior entropy of each latent",
        "nats",
        ("step", "latent"),
        note="NaN beyond the latent size of the run",
    ),
    Quantity(
        "gradient_norm",
        "norm of the gradient of the ELBO over all parameters",
        "nats per unit of parameter",
        STEP,
        Shown(at_end="Euclidean norm of the gradient of the full-batch ELBO"),
        note="Euclidean, of the full batch; where the gradient is estimated (posterior samples, annealed chains), its "
        "noise adds to the norm",
    ),
    Quantity(
        "directional_derivative",
        "derivative of the ELBO along the direction of each factor's certificate",
        NATS,
        FACTORS,
        note="$v_i \\cdot \\nabla F$ with the direction $v_i$, which the gap of the factor must equal; NaN for factors "
        "without a certificate, and where coefficients of $v_i$ that depend on the parameters have no value",
    ),
    Quantity(
        "stationary_gap",
        "gap of each factor that a stationary point of the objective has, by its certificate",
        NATS,
        FACTORS,
        note="0 where the objective is the ELBO, $\\lambda\\, v_i \\cdot \\theta$ with the penalty "
        "$\\frac\\lambda2 \\lVert\\theta\\rVert^2$; where the entropy sum has other entropies than those that close "
        "the gap (unweighted ones with another β than 1, true Poisson ones), their difference is added; NaN where "
        "there is no prediction (no certificate, `directional_derivative` and gap further apart than rounding, AdamW "
        "with weight decay, dropout, a prior weighted in training)",
    ),
    Quantity("wall_time", "time of training of the pack", "s", STEP, note="evaluation included"),
    Quantity("epoch", "passes through the training points", "1", STEP, note="until this step"),
)

ESTIMATES = (
    Quantity(
        "importance_weighted_bound",
        "importance-weighted bound on the log-likelihood at the end of training",
        NATS,
        (),
        Shown("importance-weighted bound", "#009E73"),
        Shown(),
        limits=True,
        note="$\\log \\tfrac1K \\sum_k p(x, z_k)/q(z_k \\mid x)$ of K posterior samples, where the study asks for it "
        "(`evaluation.importance_samples`): never more than the log-likelihood on average where $\\log Z$ is exact or "
        "not needed; the error of an annealed $\\log Z$ is in its interval",
    ),
    Quantity(
        "forward_ais",
        "log-likelihood by forward annealing, too large on average at the end of training",
        NATS,
        (),
        Shown("forward AIS", "#CC79A7"),
        Shown(),
        limits=True,
        note="of restricted Boltzmann machines, where the study asks for it (`evaluation.annealing_temperatures`)",
    ),
    Quantity(
        "reverse_ais",
        "log-likelihood by reverse annealing, too small on average at the end of training",
        NATS,
        (),
        Shown("reverse AIS", "#882255"),
        Shown(),
        limits=True,
        note="likewise",
    ),
    Quantity(
        "elbo_forward_ais",
        "ELBO by forward annealing, too large on average at the end of training",
        NATS,
        (),
        Shown("ELBO by forward AIS", "#AA4499"),
        Shown(),
        limits=True,
        note="of deep machines and deep belief networks, whose posterior is approximate: not the log-likelihood, but "
        "the ELBO",
    ),
    Quantity(
        "elbo_reverse_ais",
        "ELBO by reverse annealing, too small on average at the end of training",
        NATS,
        (),
        Shown("ELBO by reverse AIS", "#332288"),
        Shown(),
        limits=True,
        note="likewise",
    ),
)
"""Estimates that are too expensive for every recorded step; each has a twin on held-out data, and both have limits."""

TRUTH = Quantity(
    "true_log_likelihood",
    "log-likelihood of the distribution that the data are drawn from",
    NATS,
    (),
    Shown("true log-likelihood", "#E69F00", "--"),
    Shown(),
    note="where it is known in closed form or as a sum over at most $2^{16}$ states: `pca` ($N(b, WW^\\top + "
    "\\sigma^2 I)$), `bars`, belief networks, Boltzmann machines and mixtures. In training, a model may end above it: "
    "it fits these points, not the distribution",
)

LATENTS = (
    Quantity(
        "latent_square",
        "square of the posterior mean of each latent at the end of training, mean over points",
        "1",
        ("latent",),
        note="$\\nu_h^2$ of models with a normal posterior $\\mathcal N(\\nu, \\tau^2)$",
    ),
    Quantity(
        "latent_variance",
        "posterior variance of each latent at the end of training, mean over points",
        "1",
        ("latent",),
        note="$\\tau_h^2$ of the same; with `latent_square` it adds up to 1 where the aggregate posterior has the "
        "second moment of a standard normal prior",
    ),
    Quantity(
        "latent_spread",
        "variance over points of the posterior mean of each latent at the end of training",
        "1",
        ("latent",),
        note="variance of $\\nu_h$ of the same",
    ),
)

SUBSETS = tuple(
    quantity._derived(
        f"subset_{quantity.name}",
        f"{quantity.meaning}, estimated from few held-out points at the end of training",
        ("subset", "estimate", *(dimension for dimension in quantity.dimensions if dimension != "step")),
        note="where the study asks for it (`evaluation.subset_sizes`)",
    )
    for quantity in BOUND
    if quantity.from_subsets
)

BATCHES = tuple(
    quantity._derived(
        f"batch_{quantity.name}",
        f"{quantity.meaning} of the minibatch of each step, before its update",
        ("batch",),
        note="where the study asks for it (`evaluation.batches`)",
    )
    for quantity in BOUND
    if quantity.of_batches
)

GINI = Quantity(
    "gini",
    "mean Gini coefficient of the absolute posterior means of a point",
    "1",
    heldout=Shown(),
    note="of models with a dictionary, at the end of training: 0 all alike, $1 - 1/H$ all but one zero",
)

ALIKE = 1.01
"""Number of components in use below which all components of a mixture count as alike."""

COMPONENTS = (
    Quantity(
        "component_share",
        "mean responsibility of each component for the training points at the end of training",
        "1",
        ("component",),
        note="of mixtures; NaN beyond the number of components of the run",
    ),
    Quantity(
        "empty_components",
        "number of components with less than half a training point at the end of training",
        "1",
        note="of mixtures: less than 1/2 in the sum of responsibilities",
    ),
    Quantity(
        "used_components",
        "number of components in use at the end of training",
        "1",
        note="of mixtures: $\\exp(\\mathcal H[\\bar r] - \\tfrac1N \\sum_n \\mathcal H[r_n])$ with the "
        "responsibilities $r_n$ and their mean $\\bar r$; 1 if one component has all points or all are alike, K if "
        "each has as many points as every other and no point is shared",
    ),
)

CERTIFICATE_RESIDUAL = Quantity(
    "certificate_residual",
    "relative residual of each factor's certificate at the parameters that training ended at",
    "1",
    ("factor",),
    note="$|v_i \\cdot \\nabla F - \\mathrm{gap}_i|$ in float64 on fresh minibatches, relative to the gap; $10^{-6}$ "
    "or more says that the identity does not hold there, as below a floor of a standard deviation; NaN for factors "
    "without a certificate, and where the ELBO is not finite",
)

OF_RUNS = (
    Quantity(
        "weights",
        "what each latent sends to the data, times the scale of its prior",
        "units of the data",
        ("latent", "pixel"),
        note="of models with a dictionary (sparse coding), at the end of training: $\\lambda_h$ times the column of "
        "norm one",
    ),
    Quantity(
        "diverged_at",
        "first recorded step at which the run was found diverged",
        "optimiser steps",
        note="its parameters are frozen from then on; NaN if it never was",
    ),
    Quantity("observed_dim", "number of data dimensions", "1"),
    Quantity(
        "run",
        "identity of the run",
        "1",
        text=True,
        note="digest of the full resolved settings, data checksum and protocol",
    ),
    Quantity("planned", "1 for a run that the study has, 0 for a combination that it excludes", "1"),
)


def twins(quantities: Iterable[Quantity]) -> Iterator[Quantity]:
    """Twins on held-out data of the quantities that have one."""
    yield from (quantity.twin for quantity in quantities if quantity.twin)


def with_limits(quantities: Iterable[Quantity]) -> Iterator[Quantity]:
    """Quantities, each followed by the limits of its interval where it has one."""
    for quantity in quantities:
        yield quantity
        if quantity.limits:
            yield from (
                quantity._derived(f"{quantity.name}{end}", f"{quantity.meaning}: {limit}", quantity.dimensions)
                for end, limit in LIMITS.items()
            )


DECLARED = (
    *BOUND,
    *OF_TRAINING,
    *ESTIMATES,
    TRUTH,
    *LATENTS,
    GINI,
    *COMPONENTS,
    CERTIFICATE_RESIDUAL,
    *OF_RUNS,
)
"""Every quantity, without derived ones: twins on held-out data, limits, estimates from subsets."""

QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        *BOUND,
        *twins(BOUND),
        *OF_TRAINING,
        *with_limits(ESTIMATES),
        *with_limits(twins(ESTIMATES)),
        TRUTH,
        *twins([TRUTH]),
        *LATENTS,
        *SUBSETS,
        *BATCHES,
        GINI,
        *twins([GINI]),
        *COMPONENTS,
        CERTIFICATE_RESIDUAL,
        *OF_RUNS,
    )
}
"""Every quantity by its name, in the order of files."""

PER_STEP = {name: quantity for name, quantity in QUANTITIES.items() if quantity.per_step}
PER_RUN = {name: quantity for name, quantity in QUANTITIES.items() if not quantity.per_step}

SHOWN = tuple(each for quantity in DECLARED for each in (quantity, *twins([quantity])))
"""Quantities as figures and tables list them, each before its twin."""

CHECKED = ("factor", *LABELLED, *QUANTITIES)
"""Names of variables that the checksum of a trace file covers, where it has them."""

WORDS = ("factor", *(name for name, quantity in QUANTITIES.items() if quantity.text))
"""Names of variables with text."""

NAMES = frozenset({*QUANTITIES, *DIMENSIONS})
"""Names of all quantities and dimensions, which no axis can have."""


def group_name(model: str) -> str:
    """Name of the group of a model in a collected file.

    Example:
        >>> group_name("linear_vae"), group_name("vae1")
        ('linearvae', 'vae1')
    """
    return model.lower().replace("_", "")
