"""Panels of published figures: which cells a study with them has, and what is different in them."""

import pytest
from pydantic import ValidationError

from entropy_sums.study.errors import StudyError
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import Study

AXES = {
    "model": ["vae1", "vae3"],
    "dataset": ["pca", "digits"],
    "learning_rate": [1e-3, 5e-3],
    "batch_size": [50, 10],
    "seed": [0, 1, 2],
}
PANELS = {
    "figure_1": {
        "a": {"cells": {"dataset": "digits"}, "runs": 2, "set": {"steps": 7}},
        "b": {"cells": {"model": "vae3"}, "nats": [0, 1]},
    },
    "figure_9": {
        "a": {"cells": {"model": "vae3"}, "set": {"steps": 9}},
        "b": {"cells": {"model": "vae3", "batch_size": "10", "learning_rate": [1e-3, 5e-3]}},
    },
}


def grid(axes=AXES, panels=PANELS, **others):
    return Grid(Study.model_validate({"study": "a", "axes": axes, "panels": panels, **others}))


def test_a_study_with_panels_has_their_cells_and_no_others():
    """What a panel does not name has its first value; a cell that two figures show is trained once."""
    found = {
        (run.model, run.dataset, run.coordinates["learning_rate"], run.coordinates["batch_size"], run.seed): [
            phase.steps for phase in run.training.phases
        ]
        for run in grid().runs
    }
    assert found == {
        **{("vae1", "digits", 1e-3, 50, seed): [7] for seed in (0, 1)},
        **{("vae3", "pca", 1e-3, 50, seed): [9] for seed in (0, 1, 2)},
        **{("vae3", "pca", rate, 10, seed): [2000] for rate in (1e-3, 5e-3) for seed in (0, 1, 2)},
    }


def test_panels_and_exclusions_go_together():
    left = grid(exclude=[{"batch_size": 10}, {"model": "vae3", "seed": 2}]).runs
    assert {(run.model, run.seed) for run in left} == {("vae1", 0), ("vae1", 1), ("vae3", 0), ("vae3", 1)}


def test_a_panel_has_no_more_runs_than_there_are_seeds():
    assert {run.seed for run in grid(panels={"f": {"a": {"cells": {"model": "vae1"}, "runs": 9}}}).runs} == {0, 1, 2}


def test_an_axis_that_a_model_lacks_keeps_no_panel_from_it():
    """The linear VAE has no decoder width."""
    axes = {"model": ["linear_vae", "vae1"], "dataset": ["pca"], "decoder_width": [5, 6], "seed": [0]}
    cells = {"decoder_width": 6, "model": ["linear_vae", "vae1"]}
    found = grid(axes, {"f": {"a": {"cells": cells, "set": {"steps": 3}}}}).runs
    assert [(run.model, run.coordinates.get("decoder_width"), run.training.steps) for run in found] == [
        ("linear_vae", None, 3),
        ("vae1", 6, 3),
    ]


def test_names_of_jobs_are_those_of_the_study_without_panels():
    """So that a panel more trains only its own cells."""
    assert set(grid(panels={"f": {"a": {"cells": {"model": "vae3"}}}}).jobs) <= set(grid(panels={}).jobs)


def test_a_cell_has_one_trace():
    """So two panels cannot show it with different settings, but one may say them for both."""
    cells = {"model": "vae3"}
    panels = {"f": {"a": {"cells": cells, "set": {"steps": 7}}}, "g": {"b": {"cells": cells, "set": {"steps": "7"}}}}
    assert {run.training.steps for run in grid(panels=panels).runs} == {7}
    panels["g"]["b"]["set"] = {"training.phases.0.steps": 8}
    with pytest.raises(
        StudyError, match=r"panels.g.b.set.training.phases.0.steps: is 8 here and 7 in panels.f.a.set.steps for a cell"
    ):
        print(grid(panels=panels).runs)
    panels["g"]["b"]["cells"] = {"model": "vae3", "batch_size": 10}
    assert {run.training.steps for run in grid(panels=panels).runs} == {7, 8}


def test_a_panel_cannot_set_what_an_axis_has():
    panels = {"f": {"a": {"cells": {"model": "vae3"}, "set": {"training.phases.0.batch_size": 7}}}}
    with pytest.raises(StudyError, match=r"panels.f.a.set.training.phases.0.batch_size: is an axis; name its value"):
        grid(panels=panels)


def test_panels_that_say_the_same_or_nothing_of_a_cell():
    """Of seeds that one panel alone shows both have to say it; a setting that a model lacks is not said of it."""
    cells = {"model": ["linear_vae", "vae3"]}
    axes = AXES | {"model": ["linear_vae", "vae3"]}
    panels = {"f": {"a": {"cells": {"model": "vae3"}, "runs": 2, "set": {"steps": 7}}}}
    panels["g"] = {"b": {"cells": {"model": "vae3"}, "set": {"steps": 7}}}
    assert {run.training.steps for run in grid(axes, panels).runs} == {7}
    panels["f"]["a"] = {"cells": cells, "runs": 2, "set": {"decoder_width": 7}}
    panels["g"]["b"] = {"cells": {"model": "linear_vae"}}
    assert len(grid(axes, panels).runs) == 3 + 2


@pytest.mark.parametrize("some", [{"runs": 2}, {"cells": {"model": "vae3", "seed": [0, 2]}}])
def test_settings_are_those_of_all_seeds_of_a_cell(some):
    panels = {"f": {"a": {"cells": {"model": "vae3"}, "set": {"steps": 7}, **some}}}
    assert len(grid(panels=panels).runs) == 2
    panels["g"] = {"b": {"cells": {"model": "vae3"}}}
    with pytest.raises(StudyError, match=r"panels.f.a.set.steps: is 7 for some runs .* shows seed [12], too"):
        print(grid(panels=panels).runs)


def test_a_figure_without_panels_is_a_mistake():
    with pytest.raises(ValidationError, match="at least 1 item"):
        grid(panels={"figure_1": {}})


def test_panels_that_show_nothing():
    with pytest.raises(StudyError, match="exclude and panels: leaves no run"):
        print(grid(exclude=[{"model": "vae1"}], panels={"f": {"a": {"cells": {"model": "vae1"}}}}).runs)


def test_panels_that_there_are_runs_for():
    found = grid(exclude=[{"dataset": "digits"}])
    assert {figure: list(named) for figure, named in found.panels.items()} == {
        "figure_1": ["b"],
        "figure_9": ["a", "b"],
    }
    assert found.datasets == ["pca"]


BLOCKS = [{"model": "vae1", "dataset": "pca", "vary": {"latent_dim": [2, 8]}, "with": {"steps": 5}}]


def cells(found):
    axes = ("dataset", "learning_rate", "latent_dim", "seed")
    return {(run.model, *map(run.coordinates.get, axes)): run.training.phases[0].steps for run in found.runs}


def test_panels_and_blocks_are_a_union():
    """A panel of a cell of a block is a picture of it; what is an axis of blocks only has its default in a panel."""
    panels = {"f": {"a": {"cells": {"model": "vae1"}}, "b": {"cells": {"model": "vae3"}, "runs": 1}}}
    found = grid(axes=AXES | {"batch_size": [50]}, panels=panels, grids=BLOCKS)
    assert cells(found) == {
        **{
            ("vae1", "pca", rate, latents, seed): 5 for rate in (1e-3, 5e-3) for latents in (2, 8) for seed in (0, 1, 2)
        },
        ("vae3", "pca", 1e-3, 2, 0): 2000,
    }
    assert found.study.panels["f"]["a"].cells == {
        "model": ["vae1"],
        "dataset": ["pca"],
        "learning_rate": [1e-3],
        "batch_size": [50],
        "latent_dim": [2],
        "seed": [0, 1, 2],
    }


def test_a_panel_sets_nothing_else_for_a_cell_of_a_block():
    panels = {"f": {"a": {"cells": {"model": "vae1"}, "set": {"steps": 5}}}}
    assert set(cells(grid(panels=panels, grids=BLOCKS)).values()) == {5}
    panels["f"]["a"]["set"] = {"steps": 6}
    with pytest.raises(
        StudyError, match=r"panels.f.a.set.steps: is 6 here and 5 in grids.0.with.steps for a cell that both have; put"
    ):
        print(grid(panels=panels, grids=BLOCKS).runs)
    panels["f"]["a"]["set"] = {"every": 6}
    with pytest.raises(StudyError, match=r"panels.f.a.set.every: is 6 here and is not set in grids.0 for a cell"):
        print(grid(panels=panels, grids=BLOCKS).runs)


def test_a_panel_cannot_set_what_a_block_has_as_an_axis():
    panels = {"f": {"a": {"cells": {"model": "vae3"}, "set": {"latent_dim": 8}}}}
    with pytest.raises(StudyError, match=r"panels.f.a.set.latent_dim: is an axis; name its value in `cells`"):
        grid(panels=panels, grids=BLOCKS)


def test_a_panel_may_name_what_only_a_block_has():
    axes = {"model": ["vae1"], "dataset": ["pca"], "seed": [0]}
    panels = {"f": {"a": {"cells": {"model": "vae2", "dataset": "digits", "latent_dim": 8}}}}
    found = grid(axes, panels, grids=[{"model": "vae2", "latent_dim": 8}, {"dataset": "digits"}])
    assert set(cells(found)) == {
        ("vae1", "digits", None, 2, 0),
        ("vae2", "pca", None, 8, 0),
        ("vae2", "digits", None, 8, 0),
    }
