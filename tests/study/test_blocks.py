"""Blocks of `grids`: the cells of a study as a union of products."""

import random
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from entropy_sums.study.errors import StudyError
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import Study

AXES = {"model": ["vae1"], "dataset": ["pca"], "seed": [0, 1]}


def grid(*blocks, axes=AXES, **others):
    return Grid(Study.model_validate({"study": "a", "axes": axes, "grids": list(blocks), **others}), "a.yaml")


def found(grid, *axes):
    """Values of the runs on some axes, seeds aside, each once."""
    named = [{"model": run.model, **run.coordinates} for run in grid.runs]
    return list(dict.fromkeys(tuple(cell.get(axis) for axis in axes) for cell in named))


def identities(grid):
    return {name: job.identity for name, job in grid.jobs.items()}


def test_a_block_is_a_product_of_its_own_keys_and_of_what_all_share():
    axes = {**AXES, "latent_dim": [2, 4]}
    own = grid({"model": ["vae1", "vae2"], "learning_rate": [1e-3, 1e-2]}, {"latent_dim": 8}, axes=axes)
    assert set(found(own, "model", "latent_dim", "learning_rate")) == {
        *product(["vae1", "vae2"], [2, 4], [1e-3, 1e-2]),
        ("vae1", 8, 1e-3),
    }
    assert len(own.runs) == 9 * 2


def test_an_axis_that_a_block_does_not_name_has_the_value_of_the_settings():
    """Those of all runs, of overrides and of the block itself; an override may ask for that value."""
    rest = {
        "settings": {"encoder_width": 30},
        "overrides": [
            {"when": {"model": "vae2"}, "set": {"encoder_width": 40}},
            {"when": {"encoder_width": 40}, "set": {"steps": 7}},
        ],
        "exclude": [{"encoder_width": 30, "beta": 2.0}],
    }
    own = grid({"model": "vae1", "encoder_width": 60}, {"model": ["vae1", "vae2"], "beta": [1.0, 2.0]}, **rest)
    assert set(found(own, "model", "encoder_width", "beta")) == {
        ("vae1", 60, 1.0),
        ("vae1", 30, 1.0),
        ("vae2", 40, 1.0),
        ("vae2", 40, 2.0),
    }
    assert own.axes["encoder_width"] == [60, 30, 40]
    assert {(run.model, run.training.phases[0].steps) for run in own.runs} == {("vae1", 2000), ("vae2", 7)}


def test_vary_changes_one_axis_at_a_time_around_the_rest_of_the_block():
    own = grid({"latent_dim": [3, 4], "vary": {"beta": [0.5, 2.0], "dropout": 0.1}})
    assert found(own, "latent_dim", "beta", "dropout") == [
        (latents, *values) for latents in (3, 4) for values in [(1.0, 0.0), (1.0, 0.1), (0.5, 0.0), (2.0, 0.0)]
    ]
    assert own.axes["beta"] == [1.0, 0.5, 2.0]


def test_vary_replaces_the_shared_values_of_an_axis():
    """The base cells have all of them; a value that is among them is no second cell."""
    own = grid({"vary": {"latent_dim": [2, 8], "beta": 2.0}}, axes={**AXES, "latent_dim": [2, 4]})
    assert set(found(own, "latent_dim", "beta")) == {(2, 1.0), (4, 1.0), (8, 1.0), (2, 2.0), (4, 2.0)}


def test_what_is_excluded_of_the_base_cells_is_not_excluded_of_the_others():
    own = grid({"latent_dim": 3, "vary": {"beta": [2.0]}}, exclude=[{"latent_dim": 3, "beta": 1.0}])
    assert found(own, "latent_dim", "beta") == [(3, 2.0)]


def test_settings_of_a_block_go_together_and_make_no_dimension():
    """They win over overrides, and apply where a cell has them."""
    own = grid(
        {"model": ["linear_vae", "vae1"], "with": {"steps": "7", "decoder_width": 9}},
        {"model": "vae2"},
        overrides=[{"when": {"dataset": "pca"}, "set": {"steps": 5}}],
    )
    steps = {run.model: run.training.phases[0].steps for run in own.runs}
    assert steps == {"linear_vae": 7, "vae1": 7, "vae2": 5}
    assert {getattr(run.model_settings, "decoder_width", None) for run in own.runs} == {None, 9, 50}
    assert own.dimensions("vae1") == {"dataset": ["pca"], "seed": [0, 1]}


def test_settings_of_a_block_leave_the_names_of_jobs_alone():
    assert list(grid({"with": {"steps": 7}}).jobs) == ["vae1/pca/seed=0-1"]


def test_what_is_excluded_of_a_block_need_not_have_its_axes():
    axes = {**AXES, "model": ["vae1", "linear_vae"]}
    own = grid({"decoder_width": [3, 4]}, axes=axes, exclude=[{"model": "linear_vae", "dataset": "pca"}])
    assert found(own, "model", "decoder_width") == [("vae1", 3), ("vae1", 4)]


def test_a_block_may_have_some_of_the_seeds():
    own = grid(
        {"latent_dim": 3}, {"latent_dim": 4, "seed": 1}, {"latent_dim": [3, 5], "seed": {"count": 1, "start": 5}}
    )
    runs = {(run.coordinates["latent_dim"], run.seed) for run in own.runs}
    assert runs == {(3, 0), (3, 1), (4, 1), (3, 5), (5, 5)}
    assert own.axes["seed"] == [0, 1, 5]
    assert [run.seed for run in own.runs if run.coordinates["latent_dim"] == 3] == [0, 1, 5]


def test_blocks_may_name_what_axes_then_need_not():
    own = grid({"model": "vae1", "dataset": "pca", "seed": 0}, {"model": "rbm", "dataset": "bars", "seed": 1}, axes={})
    assert list(own.jobs) == ["vae1/pca/seed=0", "rbm/bars/seed=1"]
    assert own.datasets == ["pca", "bars"]


def test_a_cell_of_two_blocks_is_trained_once():
    own = grid({"latent_dim": [2, 3]}, {"latent_dim": [3, 2, 4]}, {"model.beta": 1.0})
    assert len(own.runs) == 3 * 2
    assert [own.cells_of(f"grids.{i}") for i in range(3)] == [2, 3, 1]


def test_the_order_of_runs_is_that_of_the_axes():
    own = grid({"model": "vae2"}, {"latent_dim": 8}, {"latent_dim": 4}, axes={**AXES, "latent_dim": [2, 4]})
    assert found(own, "model", "latent_dim") == [("vae1", 4), ("vae1", 8), ("vae2", 2), ("vae2", 4)]


def test_the_study_that_is_recorded_is_a_study_file():
    own = grid({"vary": {"beta": "2"}}, {"model": "vae2", "with": {"steps": 7}})
    recorded = own.study.model_dump(mode="json")
    assert recorded["grids"] == [{"vary": {"beta": [2.0]}}, {"model": ["vae2"], "with": {"steps": 7}}]
    assert identities(Grid(Study.model_validate(recorded))) == identities(own)
    assert "grids" not in Grid(Study.model_validate({"study": "a", "axes": AXES})).study.model_dump()


CONFLICTS = {
    "values": (
        [{"with": {"steps": 7}}, {"vary": {"beta": 2.0}, "with": {"training.phases.0.steps": 8}}],
        r"a.yaml: grids.1.with.training.phases.0.steps: is 8 here and 7 in grids.0.with.steps for a cell that both "
        r"have; write it in both, or as a key of both",
    ),
    "silent later": (
        [{"with": {"steps": 7}}, {"vary": {"beta": 2.0}}],
        r"a.yaml: grids.0.with.steps: is 7 here and is not set in grids.1 for a cell that both have; write it in both",
    ),
    "silent before": (
        [{"vary": {"beta": 2.0}}, {"beta": [2.0, 3.0], "with": {"steps": 7}}],
        r"a.yaml: grids.1.with.steps: is 7 here and is not set in grids.0 for a cell that both have",
    ),
    "other seeds": (
        [{"with": {"steps": 7}, "seed": 0}, {"seed": 1}],
        r"a.yaml: grids.0.with.steps: is 7 here and is not set in grids.1 for a cell that both have",
    ),
}


@pytest.mark.parametrize(("blocks", "message"), CONFLICTS.values(), ids=CONFLICTS)
def test_blocks_that_have_one_cell_say_the_same_of_it(blocks, message):
    with pytest.raises(StudyError, match=message):
        print(grid(*blocks).runs)


def test_what_blocks_say_alike_or_not_of_a_cell_is_no_conflict():
    blocks = [{"with": {"steps": 7}}, {"with": {"training.phases.0.steps": "7"}}, {"beta": 2.0}]
    assert {run.training.phases[0].steps for run in grid(*blocks).runs} == {7, 2000}
    # A linear VAE has no decoder width, so that nothing is said of it
    models = {**AXES, "model": ["linear_vae", "vae1"]}
    assert len(grid({"with": {"decoder_width": 9}}, {"model": "linear_vae"}, axes=models).runs) == 4


def test_a_default_that_is_no_value_of_an_axis():
    axes = {"model": ["vae1"], "dataset": ["patches"], "seed": [0]}
    own = grid({"path": "a.mat"}, {"latent_dim": 4}, axes=axes)
    with pytest.raises(StudyError, match=r"grids.1: 'path' is an axis of other blocks, and None by default here; name"):
        print(own.runs)


@pytest.mark.parametrize("rule", ["exclude", "overrides"])
def test_rules_name_values_that_some_cell_has(rule):
    """On an axis of blocks that may be the default, which is known once the cells are."""
    rules = {
        "exclude": lambda beta: {"beta": beta},
        "overrides": lambda beta: {"when": {"beta": beta}, "set": {"steps": 1}},
    }
    where = {"exclude": "exclude.0", "overrides": "overrides.0.when"}
    for value in (1.0, 2.0):
        assert grid({"vary": {"beta": 2.0}}, **{rule: [rules[rule](value)]}).runs
    with pytest.raises(StudyError, match=rf"a.yaml: {where[rule]}.beta: 3.0 is not on the axis; did you mean '2.0'"):
        print(grid({"vary": {"beta": 2.0}}, **{rule: [rules[rule](3.0)]}).runs)


def test_blocks_of_which_nothing_is_left():
    with pytest.raises(StudyError, match=r"a\.yaml: exclude and grids: leaves no run at all"):
        print(grid({"beta": 2.0}, exclude=[{"model": "vae1"}]).runs)


def test_a_large_product_is_not_formed_for_few_cells():
    """A product of these axes would have 10^9 cells."""
    values = [round(1.0 + i / 10, 1) for i in range(1, 1000)]
    own = grid({"vary": {"beta": values, "free_bits": values, "weight_decay": values}})
    assert len(own.runs) == 2 * (1 + 3 * 999)


SETTINGS = {
    "latent_dim": [2, 3, 5],
    "learning_rate": [1e-3, 3e-3, 1e-2],
    "batch_size": [100, "full"],
    "noise": [0.1, 0.3],
    "unit_columns": ["parametrise", "renormalise"],
}
"""Axis → values, the default first: packed and unpacked, of model, dataset and training, some of VAE-2 only."""


@st.composite
def studies(draw):
    """Axes that all blocks share, and blocks with plain and varied keys."""
    lists = {axis: st.lists(st.sampled_from(values), min_size=1, unique=True) for axis, values in SETTINGS.items()}
    axes = {
        "model": draw(st.lists(st.sampled_from(["vae1", "vae2"]), min_size=1, unique=True)),
        "dataset": ["pca"],
        "seed": draw(st.lists(st.integers(0, 3), min_size=1, unique=True)),
    }
    names = sorted(set(SETTINGS) - {"unit_columns"})
    for axis in draw(st.lists(st.sampled_from(names), max_size=1)):
        axes[axis] = draw(lists[axis])
    blocks = []
    for _ in range(draw(st.integers(1, 3))):
        models = draw(st.sampled_from([["vae1"], ["vae2"], ["vae1", "vae2"]]))
        block = {"model": models, "vary": {}}
        for axis in draw(st.lists(st.sampled_from(sorted(SETTINGS)), max_size=3, unique=True)):
            if axis != "unit_columns" or models == ["vae2"]:
                draw(st.sampled_from([block, block["vary"]]))[axis] = draw(lists[axis])
        if not block["vary"]:
            del block["vary"]
        if draw(st.booleans()):
            block["seed"] = draw(st.lists(st.integers(0, 3), min_size=1, unique=True))
        blocks.append(block)
    return axes, blocks


def cells(own):
    return {(run.model, *sorted((axis, repr(value)) for axis, value in run.coordinates.items())) for run in own.runs}


@given(studies())
def test_cells_are_those_of_the_products_and_no_others(drawn):
    axes, blocks = drawn
    named = {*axes, *(axis for block in blocks for axis in (*block, *block.get("vary", ())))} - {"vary"}
    expected = set()
    for block in blocks:
        plain = {**axes, **{axis: values for axis, values in block.items() if axis != "vary"}}
        bases = {axis: plain.get(axis, SETTINGS[axis][:1] if axis in SETTINGS else None) for axis in named}
        for varied in ({}, *({axis: values} for axis, values in block.get("vary", {}).items())):
            values = {**bases, **varied}
            for combination in product(*values.values()):
                cell = dict(zip(values, combination, strict=True))
                model = cell.pop("model")
                if model == "vae1":
                    cell.pop("unit_columns", None)
                expected.add((model, *sorted((axis, repr(value)) for axis, value in cell.items())))
    assert cells(grid(*blocks, axes=axes)) == expected


@given(studies())
def test_a_union_is_a_product_less_what_is_excluded(drawn):
    """Jobs, names and identities included, so that a study may be written either way."""
    axes, blocks = drawn
    union = grid(*blocks, axes=axes, pack={"size": 3})
    present, exclude = cells(union), []
    for model in union.axes["model"]:
        own = {a: values for a, values in union.axes.items() if a != "model" and (a, model) != ("unit_columns", "vae1")}
        for combination in product(*own.values()):
            cell = dict(zip(own, combination, strict=True))
            if (model, *sorted((axis, repr(value)) for axis, value in cell.items())) not in present:
                exclude.append({"model": model, **cell})
    assume(len(exclude) < 1000)
    whole = Grid(Study.model_validate({"study": "a", "axes": union.axes, "exclude": exclude, "pack": {"size": 3}}))
    assert identities(whole) == identities(union)
    assert cells(whole) == present


@given(studies(), st.randoms(use_true_random=False))
def test_the_order_of_blocks_changes_no_job(drawn, chance: random.Random):
    """But for packs, which are filled in the order of the seeds."""
    axes, blocks = drawn
    blocks = [{key: value for key, value in block.items() if key != "seed"} for block in blocks]
    shuffled = chance.sample(blocks, len(blocks))
    assert identities(grid(*shuffled, axes=axes)) == identities(grid(*blocks, axes=axes))
