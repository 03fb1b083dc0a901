"""The grid: every run once, in jobs whose names and identities stay when a study grows."""

import re
from itertools import product
from types import UnionType
from typing import Literal, Union, get_args, get_origin

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models.catalogue import MODELS
from entropy_sums.study.errors import StudyError
from entropy_sums.study.grid import Grid, digest
from entropy_sums.study.plan import as_text
from entropy_sums.study.schema import Study
from entropy_sums.training.settings import EvaluationSettings, PhaseSettings, TrainingSettings

AXES = {
    "latent_dim": (2, [2, 3, 5]),
    "initial_scale": (1.0, [1.0, 0.5, 0.1234567890123]),
    "encoder_width": (50, [50, 20]),
    "learning_rate": (1e-3, [1e-3, 3e-3, 1e-2]),
    "batch_size": (100, [100, "full"]),
    "data_seed": (0, [0, 7]),
    "true_latent_dim": (2, [2, 1]),
    "dequantise": (True, [True, False]),
}
"""Axis → default and values: packed and unpacked, of the model, the dataset and training, some not everywhere."""
PACKED = {"initial_scale", "learning_rate"}


def applicable(axes):
    """Names of the settings that some of the models and datasets have."""
    schemas = [*map(MODELS.get, axes["model"]), *map(DATASETS.get, axes["dataset"]), PhaseSettings]
    return {axis for axis in AXES if any(axis in schema.model_fields for schema in schemas)}


def study(axes, **others):
    return Study.model_validate({"study": "a", "axes": axes, **others})


@st.composite
def studies(draw):
    """The axes of a study, and its other keys."""
    axes = {
        "model": draw(st.lists(st.sampled_from(["linear_vae", "vae0", "vae1"]), min_size=1, max_size=2, unique=True)),
        "dataset": draw(st.lists(st.sampled_from(["pca", "digits"]), min_size=1, unique=True)),
        "seed": draw(st.lists(st.integers(0, 20), min_size=1, max_size=7, unique=True)),
    }
    for axis in draw(st.lists(st.sampled_from(sorted(applicable(axes))), max_size=3, unique=True)):
        axes[axis] = draw(st.lists(st.sampled_from(AXES[axis][1]), min_size=1, unique_by=repr))
    rules = st.fixed_dictionaries({axis: st.sampled_from(values) for axis, values in axes.items() if len(values) > 1})
    exclude = [rule for rule in draw(st.lists(rules, max_size=2)) if rule]
    return dict(draw(st.permutations(sorted(axes.items())))), {
        "exclude": exclude,
        "pack": {"size": draw(st.integers(1, 9))},
    }


def grid(axes, others):
    found = Grid(study(axes, **others))
    try:
        _ = found.runs
    except StudyError:
        assume(False)  # everything was excluded
    return found


def cells(found):
    return [(run.model, *sorted((axis, repr(value)) for axis, value in run.coordinates.items())) for run in found.runs]


@given(studies())
def test_jobs_cover_every_run_exactly_once(drawn):
    found = grid(*drawn)
    assert len(set(cells(found))) == len(found.runs)
    assert sorted(id(run) for job in found.jobs.values() for run in job.runs) == sorted(map(id, found.runs))
    assert all(1 <= len(job.runs) <= found.study.pack.size for job in found.jobs.values())
    assert all(name == job.name for name, job in found.jobs.items())


@given(studies())
def test_runs_are_the_product_of_the_axes_less_what_is_excluded(drawn):
    axes, others = drawn
    found = grid(axes, others)
    kept = set()
    for values in product(*axes.values()):
        cell = dict(zip(axes, values, strict=True))
        fields = {
            **MODELS[cell["model"]].model_fields,
            **DATASETS[cell["dataset"]].model_fields,
            **PhaseSettings.model_fields,
        }
        applied = {axis: v for axis, v in cell.items() if axis in fields or axis in ("model", "dataset", "seed")}
        if not any(rule.items() <= applied.items() for rule in others["exclude"]):
            kept.add((applied.pop("model"), *sorted((axis, repr(value)) for axis, value in applied.items())))
    assert set(cells(found)) == kept


@given(studies())
def test_names_are_portable_paths(drawn):
    for name in grid(*drawn).jobs:
        assert re.fullmatch(r"[A-Za-z0-9_.,=+%~/-]+", name)
        assert all(len(part) < 200 and part not in ("", ".", "..") for part in name.split("/"))
    assert len({name.lower() for name in grid(*drawn).jobs}) == len(grid(*drawn).jobs)


@given(studies())
def test_a_pack_shares_all_but_packed_settings_and_keeps_defaults_apart(drawn):
    for job in grid(*drawn).jobs.values():
        shared = [
            {
                "model": run.model_settings.model_dump(exclude=run.model_settings.packed()),
                "dataset": run.dataset_settings,
                "training": run.training.model_dump(exclude={"phases": {"__all__": PhaseSettings.packed()}}),
                "off their defaults": [a for a in PACKED & set(run.coordinates) if run.coordinates[a] != AXES[a][0]],
                "model and dataset": (run.model, run.dataset),
            }
            for run in job.runs
        ]
        assert all(other == shared[0] for other in shared)


def identities(found):
    return {name: job.identity for name, job in found.jobs.items()}


@given(studies(), st.data())
def test_a_further_axis_that_includes_its_default_keeps_every_job(drawn, data):
    axes, others = drawn
    before = grid(axes, others)
    axis = data.draw(st.sampled_from(sorted(applicable(axes) - set(axes))))
    default, values = AXES[axis]
    added = data.draw(st.permutations([default, *data.draw(st.lists(st.sampled_from(values[1:]), unique=True))]))
    after = Grid(study({**axes, axis: added}, **others))
    assert identities(before).items() <= identities(after).items()


@given(studies())
def test_neither_the_order_of_axes_nor_one_at_its_default_changes_an_identity(drawn):
    axes, others = drawn
    before = grid(axes, others)
    assert identities(Grid(study(dict(reversed(axes.items())), **others))) == identities(before)
    if "latent_dim" not in axes:
        after = Grid(study({"latent_dim": [2], **axes}, **others))
        assert identities(after) == identities(before)
        assert [run.identity("data") for run in after.runs] == [run.identity("data") for run in before.runs]


@given(studies())
def test_further_seeds_keep_full_packs(drawn):
    axes, others = drawn
    others["exclude"] = []
    before, after = grid(axes, others), grid({**axes, "seed": [*axes["seed"], 30, 31]}, others)
    seeds_in = {name: {run.seed for run in job.runs} for name, job in before.jobs.items()}
    partial = {name for name in before.jobs if name not in after.jobs}
    for name in partial:
        # Only the last pack of a group of columns may grow: it ends with the last seed, and had room
        assert axes["seed"][-1] in seeds_in[name]
        assert len(before.jobs[name].runs) < before.study.pack.size
    kept = before.jobs.keys() & after.jobs.keys()
    assert all(before.jobs[name].identity == after.jobs[name].identity for name in kept)


def test_adding_one_seed_adds_one_job_to_full_packs():
    axes = {"model": ["vae1"], "dataset": ["pca"], "learning_rate": [1e-3, 3e-3, 1e-2]}
    before = identities(Grid(study({**axes, "seed": {"count": 8}}, pack={"size": 8})))
    after = identities(Grid(study({**axes, "seed": {"count": 9}}, pack={"size": 8})))
    assert before.items() <= after.items()
    assert sorted(set(after) - set(before)) == ["vae1/pca/learning_rate=0.003+0.01,seed=8", "vae1/pca/seed=8"]


def test_packed_axes_share_jobs_and_others_make_jobs():
    axes = {"model": ["vae1"], "dataset": ["pca"], "seed": {"count": 4}}
    packed = Grid(study({**axes, "learning_rate": [2e-3, 3e-3], "initial_std": [0.5, 0.1]}))
    assert list(packed.jobs) == ["vae1/pca/initial_std=0.1+0.5,learning_rate=0.002+0.003,seed=0-3"]
    unpacked = Grid(study({**axes, "encoder_width": [50, 60], "latent_dim": [2, 4]}))
    assert list(unpacked.jobs) == [
        "vae1/pca/seed=0-3",
        "vae1/pca/latent_dim=4/seed=0-3",
        "vae1/pca/encoder_width=60/seed=0-3",
        "vae1/pca/encoder_width=60/latent_dim=4/seed=0-3",
    ]


def test_defaults_come_from_settings_and_overrides():
    axes = {"model": ["vae1"], "dataset": ["pca"], "encoder_width": [50, 80], "seed": [0]}
    rest = {"settings": {"noise": 0.3}, "overrides": [{"when": {"encoder_width": 80}, "set": {"latent_dim": 4}}]}
    before = Grid(study(axes, **rest))
    after = Grid(study({**axes, "latent_dim": [2, 4], "noise": [0.1, 0.3]}, **rest))
    assert identities(before).items() <= identities(after).items()
    assert "vae1/pca/encoder_width=80/latent_dim=2/noise=0.1/seed=0" in after.jobs


def test_values_that_look_alike_have_different_names():
    close = [0.1234567, 0.1234568, 1e-7, 123456789.0]
    found = Grid(study({"model": ["vae1"], "dataset": ["pca"], "noise": close, "seed": [0]}))
    assert [name.split("/")[2] for name in found.jobs] == [
        "noise=0.1234567",
        "noise=0.1234568",
        "noise=1e-07",
        "noise=123456789.0",
    ]
    paths = ["a/b.npy", "a_b.npy", "a b.npy", "é.npy", "x" * 300]
    found = Grid(study({"model": ["vae1"], "dataset": ["array"], "path": paths, "seed": [0]}))
    assert len(found.jobs) == 5
    assert all(
        len(part) < 130 and part.isascii() and " " not in part for name in found.jobs for part in name.split("/")
    )


def test_long_packs_have_short_names_that_a_further_axis_keeps():
    axes = {"model": ["vae1"], "dataset": ["pca"], "seed": [0]}
    rates = {"learning_rate": [round(1.1e-3 + i * 1e-5, 6) for i in range(40)]}
    before = Grid(study({**axes, **rates}, pack={"size": 40}))
    after = Grid(study({**axes, "latent_dim": [2], **rates}, pack={"size": 40}))
    assert [re.sub("[0-9a-f]{16}", "*", name) for name in before.jobs] == ["vae1/pca/pack-*"]
    assert identities(before) == identities(after)


def test_excluded_cells_are_absent():
    axes = {"model": ["linear_vae", "vae1"], "dataset": ["pca", "digits"], "latent_dim": [2, 4], "seed": {"count": 3}}
    rules = [{"model": "vae1", "dataset": "digits"}, {"latent_dim": [4], "seed": [1, 2]}]
    found = Grid(study(axes, exclude=rules))
    assert len(found.runs) == 3 * (3 + 1)
    assert not [run for run in found.runs if (run.model, run.dataset) == ("vae1", "digits")]
    assert {run.seed for run in found.runs if run.coordinates["latent_dim"] == 4} == {0}
    assert found.dimensions("vae1")["dataset"] == ["pca"]


def test_values_keep_their_order_whatever_is_excluded():
    axes = {"model": ["vae1"], "dataset": ["pca"], "latent_dim": [8, 2], "encoder_width": [90, 20], "seed": [3, 1]}
    found = Grid(study(axes, exclude=[{"latent_dim": 8, "encoder_width": 90}, {"latent_dim": 2, "seed": 3}]))
    assert found.dimensions("vae1") == {k: v for k, v in axes.items() if k != "model"}


def test_unknown_jobs_and_data_files_are_named_with_the_nearest():
    found = Grid(study({"model": ["vae1"], "dataset": ["pca"], "seed": {"count": 4}}), "a.yaml")
    with pytest.raises(StudyError, match=r"a\.yaml: no job 'vae1/pca/seed=0-4'; did you mean 'vae1/pca/seed=0-3'\?"):
        found.find("vae1/pca/seed=0-4")
    (name,) = {job.data for job in found.jobs.values()}
    assert found.dataset(name).data_seed == 0
    with pytest.raises(StudyError, match=rf"no data file '{name[:-1]}'; did you mean '{name}'\?"):
        found.dataset(name[:-1])


REQUIRED = {"array": {"path": "x.npy"}}
"""Settings without which a dataset cannot be."""

TOGETHER = {
    "model.averaging": {"model.objective": "entropy"},
    "model.estimator": {"training.phases.0.samples": 2},
    "conv_vae": {"dataset.dim": 256},
}
"""Settings that another one, or a model, needs."""

MAKING = {
    "real": "pca",
    "binary": "belief_network",
    "counts": "counts",
    "nonnegative": "mixture_of_gammas",
    "positive": "mixture_of_gammas",
}
"""Support of a model → a dataset of such numbers."""

OTHERS = {"channels": 4, "optimizer": "sgd"}
"""Other values of settings that have few."""


def alternative(annotation, value):
    """Another value of the same type, near the given one."""
    if isinstance(value, bool):
        return not value
    if get_origin(annotation) is Literal:
        return next((other for other in get_args(annotation) if other != value), None)
    if annotation is float or isinstance(value, float):
        return (value or 0) / 2 or 0.5
    if isinstance(value, int):
        return value + 1 if value < 100 else value - 1
    if isinstance(value, tuple):
        return (*value, 1000)
    if get_origin(annotation) in (Union, UnionType):
        return alternative(next(a for a in get_args(annotation) if a is not type(None)), value)
    return f"other-{value}"


def settings():
    """Model, dataset, dotted name and another value of every setting that has one."""
    blocks = [
        ("vae1", "pca", "training", TrainingSettings()),
        ("vae1", "pca", "training.evaluation", EvaluationSettings()),
    ]
    blocks += [("vae1", "pca", "training.phases.0", PhaseSettings())]
    blocks += [(model, MAKING[schema.support], "model", schema()) for model, schema in MODELS.items()]
    blocks += [("vae1", name, "dataset", schema(**REQUIRED.get(name, {}))) for name, schema in DATASETS.items()]
    for model, dataset, block, values in blocks:
        for field, info in type(values).model_fields.items():
            if field not in ("phases", "evaluation"):
                other = OTHERS.get(field) or alternative(info.annotation, getattr(values, field))
                if other is None:
                    continue  # a setting of one value so far
                yield pytest.param(model, dataset, f"{block}.{field}", other, id=f"{model}-{dataset}-{block}.{field}")


@pytest.mark.parametrize(("model", "dataset", "name", "value"), list(settings()))
def test_every_setting_changes_the_identity(model, dataset, name, value):
    axes = {"model": [model], "dataset": [dataset], "seed": [0]}
    required = {f"dataset.{key}": v for key, v in REQUIRED.get(dataset, {}).items()} | TOGETHER.get(name, {})
    required |= TOGETHER.get(model, {})
    (plain,) = Grid(study(axes, settings=required)).runs
    (changed,) = Grid(study(axes, settings={**required, name: value})).runs
    assert changed.identity("data") != plain.identity("data")
    assert changed.configuration != plain.configuration


def test_identity_changes_with_model_seed_data_and_protocol(monkeypatch):
    runs = Grid(study({"model": ["vae0", "vae1"], "dataset": ["pca", "pca_ring"], "seed": [0, 1]})).runs
    assert len({run.identity(data) for run in runs for data in ("a", "b")}) == 16
    before = runs[0].identity("a")
    monkeypatch.setattr("entropy_sums.study.grid.PROTOCOL", -1)
    assert runs[0].identity("a") != before


def test_configuration_holds_every_default():
    (run,) = Grid(study({"model": ["vae1"], "dataset": ["pca"], "seed": [3]})).runs
    configuration = run.configuration
    assert configuration["seed"] == 3
    assert configuration["model"].keys() == {"name", *MODELS["vae1"].model_fields}
    assert configuration["dataset"].keys() == {"name", *DATASETS["pca"].model_fields}
    assert configuration["training"].keys() == TrainingSettings.model_fields.keys()
    assert configuration["training"]["phases"][0].keys() == PhaseSettings.model_fields.keys()
    assert digest(configuration) == digest(dict(reversed(configuration.items())))


def test_thousands_of_runs():
    axes = {
        "model": ["vae1", "vae2"],
        "dataset": ["pca"],
        "latent_dim": [2, 4, 8, 16, 32],
        "learning_rate": [1e-3, 2e-3, 3e-3, 5e-3, 1e-2],
        "encoder_width": [50, 20],
        "seed": {"count": 20},
    }
    found = Grid(study(axes))
    assert f"{2 * 5 * 5 * 2 * 20} runs" in as_text(found)
    # 20 columns at the default rate of 20 seeds: 16 + 4; 20 × 4 other rates: 4 seeds × 4 rates per job
    assert len(found.jobs) == 20 * 2 + 20 * 5
