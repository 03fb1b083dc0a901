"""Reading study files: every mistake is one line that names the file, the key and the fix."""

import json

import jsonschema
import pytest
import yaml
from pydantic import create_model

from entropy_sums.data.catalogue import DATASETS
from entropy_sums.study.errors import StudyError
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import Study, read

GOOD = """\
study: a
axes: {model: [vae1], dataset: [pca], seed: [0]}
"""


def check(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return read(path)


def test_defaults_are_filled_in(tmp_path):
    study = check(tmp_path, GOOD)
    assert study.training.phases[0].steps == 2000
    assert study.pack.size == 16
    assert study.folder.as_posix() == "results/a"


@pytest.mark.parametrize(
    ("axis", "values"),
    [("{count: 3}", [0, 1, 2]), ("{count: 2, start: 5}", [5, 6]), ("[4, 2]", [4, 2])],
)
def test_counts_are_written_out(tmp_path, axis, values):
    assert check(tmp_path, GOOD.replace("[0]", axis)).axes["seed"] == values


def test_exponents_are_numbers(tmp_path):
    study = check(tmp_path, GOOD + "settings: {a: 1e-3, b: 1E3, c: -2.5e+1, d: .5e1, e: 1.0e-3, f: e3, g: '1e-3'}\n")
    assert study.settings == {"a": 1e-3, "b": 1e3, "c": -25.0, "d": 5.0, "e": 1e-3, "f": "e3", "g": "1e-3"}


def test_anchors_and_merged_keys_are_no_doubles(tmp_path):
    text = GOOD + "training:\n  phases:\n    - &first {steps: 10, samples: 2}\n    - {<<: *first, steps: 20}\n"
    assert [(phase.steps, phase.samples) for phase in check(tmp_path, text).training.phases] == [(10, 2), (20, 2)]


SIZES = (
    GOOD
    + """\
training: {evaluation: {every: 50, samples: 4}}
figures: [traces]
sizes:
  small: {training: {evaluation: {every: 5}}}
  full: {axes: {seed: {count: 3}, latent_dim: [2, 4]}, figures: [gap_by_model, latent_entropies]}
"""
)


def test_a_size_changes_its_keys_and_no_others(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(SIZES)
    whole, small, full = read(path), read(path, "small"), read(path, "full")
    assert (whole.name, small.name, full.folder.as_posix()) == ("a", "a-small", "results/a-full")
    assert (whole.training.evaluation.every, small.training.evaluation.every) == (50, 5)
    assert small.training.evaluation.samples == 4
    assert full.axes == {"model": ["vae1"], "dataset": ["pca"], "seed": [0, 1, 2], "latent_dim": [2, 4]}
    assert (small.figures, full.figures) == (["traces"], ["gap_by_model", "latent_entropies"])


def test_a_size_replaces_the_blocks_and_merges_the_axes(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        GOOD
        + """\
grids: [{vary: {latent_dim: 4}}, {model: vae2}]
sizes:
  few: {grids: [{latent_dim: 3}]}
  more: {axes: {seed: {count: 2}, beta: [1, 2]}}
  all: {grids: null}
"""
    )
    blocks = {size: [block.values for block in read(path, size).grids] for size in ("few", "more", "all")}
    assert blocks == {"few": [{"latent_dim": [3]}], "more": [{}, {"model": ["vae2"]}], "all": []}
    more = Grid(read(path, "more"), path)
    assert len(more.runs) == 2 * (2 * 2 + 2)
    assert more.dimensions("vae1") == {"dataset": ["pca"], "seed": [0, 1], "beta": [1.0, 2.0], "latent_dim": [2, 4]}


def test_a_file_may_name_its_size(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(SIZES + "size: small\n")
    assert (read(path).size, read(path, "full").size) == ("small", "full")


AXES = "axes: {model: [vae1], dataset: [pca], seed: [0]"
EVERY = {"model": "vae1", "dataset": "pca", "seed": "0"}

MISTAKES = {
    "unknown key": (GOOD + "axis: 1", "axis: unknown key; did you mean 'axes'?"),
    "unknown key far from all": (GOOD + "qqq: 1", "qqq: unknown key; known are: axes, data_dir, exclude, figures,"),
    "unknown key of training": (GOOD + "training: {phase: []}", "training.phase: unknown key; did you mean 'phases'?"),
    "unknown key of a phase": (
        GOOD + "training: {phases: [{steps: 1}, {stpes: 2}]}",
        "training.phases.1.stpes: unknown key; did you mean 'steps'?",
    ),
    "unknown key of evaluation": (
        GOOD + "training: {evaluation: {evry: 2}}",
        "training.evaluation.evry: unknown key; did you mean 'every'?",
    ),
    "unknown key of pack": (GOOD + "pack: {sise: 2}", "pack.sise: unknown key; did you mean 'size'?"),
    "unknown key of an override": (
        GOOD + "overrides: [{when: {seed: 0}, sett: {steps: 1}}]",
        "overrides.0.set: is missing; add it\n{file}: overrides.0.sett: unknown key; did you mean 'set'?",
    ),
    "unknown model": (GOOD.replace("vae1", "vea1"), "axes: model: 'vea1' is unknown; did you mean 'vae1'?"),
    "model of another type": (GOOD.replace("vae1", "1"), "axes: model: 1 is unknown; known are: bernoulli_"),
    "unknown dataset": (GOOD.replace("pca", "pac"), "axes: dataset: 'pac' is unknown; did you mean 'pca'?"),
    "unknown figure": (GOOD + "figures: [trace]", "figures: 'trace' is unknown; did you mean 'traces'?"),
    "missing model": (
        GOOD.replace("model: [vae1], ", ""),
        "axes: the axis 'model' is missing; add for example model: [",
    ),
    "missing dataset": (GOOD.replace("dataset: [pca], ", ""), "axes: the axis 'dataset' is missing; add for example"),
    "missing seed": (
        GOOD.replace(", seed: [0]", ""),
        "axes: the axis 'seed' is missing; add for example seed: {{count: 8}}",
    ),
    "missing axes": ("study: a", "axes: is missing; add it"),
    "empty axis": (
        GOOD.replace("[0]", "[]"),
        "axes.seed: List should have at least 1 item after validation, not 0 (got [])",
    ),
    "axis without brackets": (GOOD.replace("[0]", "8"), "axes.seed: an axis is a list of values, or {{count: N}}"),
    "nested values": (
        AXES + ", latent_dim: [[2]]}\nstudy: a",
        "axes.latent_dim.0: Input should be a valid boolean or a valid integer or a valid number or a valid "
        "string (got [2])",
    ),
    "empty value": (AXES + ", latent_dim: [~]}\nstudy: a", "axes.latent_dim.0: Input should be a valid"),
    "not a number": (AXES + ", noise: [.nan]}\nstudy: a", "axes.noise.0: Input should be"),
    "unknown word in a count": (
        GOOD.replace("[0]", "{count: 2, strat: 1}"),
        "axes.seed: an axis is a list of values, or",
    ),
    "negative count": (
        GOOD.replace("[0]", "{count: -1}"),
        "axes.seed: an axis is a list of values, or {{count: N}} or {{count: N, start: K}} with whole numbers N "
        "from 1 and K from 0 on (got {{'count': -1}})",
    ),
    **{
        f"count {wrong}": (GOOD.replace("[0]", f"{{count: {wrong}}}"), "axes.seed: an axis is a list of values, or")
        for wrong in ("0", "'8'", "2.5", "true", "~", "[1]")
    },
    "negative start": (GOOD.replace("[0]", "{count: 1, start: -1}"), "axes.seed: an axis is a list of values, or"),
    "wrong type in a phase": (
        GOOD + "training: {phases: [{steps: many}]}",
        "training.phases.0.steps: Input should be a valid integer, unable to parse string as an integer (got 'many')",
    ),
    "out of range in a phase": (
        GOOD + "training: {phases: [{steps: 0}]}",
        "training.phases.0.steps: Input should be greater than 0 (got 0)",
    ),
    "infinite learning rate": (
        GOOD + "training: {phases: [{learning_rate: .inf}]}",
        "training.phases.0.learning_rate: Input should be a finite number (got inf)",
    ),
    "one of two types": (
        GOOD + "training: {phases: [{batch_size: all}]}",
        "training.phases.0.batch_size: Input should be a valid integer, unable to parse string as an integer or 'full' "
        "(got 'all')",
    ),
    "no phase": (GOOD + "training: {phases: []}", "training.phases: Tuple should have at least 1 item"),
    "empty rule": (GOOD + "exclude: [{}]", "exclude.0: Dictionary should have at least 1 item"),
    "bad name": (GOOD.replace("study: a", "study: a b"), "study: String should match pattern"),
    "pack of none": (GOOD + "pack: {size: 0}", "pack.size: Input should be greater than 0 (got 0)"),
    "no mapping": ("- a", "a study file is a mapping with at least the keys study and axes"),
    "empty file": ("", "a study file is a mapping with at least the keys study and axes"),
    "YAML": (GOOD + "pack: [", "line 3: not valid YAML: expected the node content, but found '<stream end>'"),
    "doubled key": (GOOD + "pack: {}\nstudy: b", "line 4: not valid YAML: the key 'study' stands twice; keep one"),
    "doubled nested key": (
        GOOD + "training:\n  phases:\n    - steps: 1\n      steps: 2",
        "line 6: not valid YAML: the key 'steps' stands twice; keep one",
    ),
    "unknown size": (SIZES + "size: ful", "size: 'ful' is unknown; did you mean 'full'?"),
    "size of a file without": (GOOD + "size: full", "size: 'full' is unknown; the file has no sizes"),
    "mistake in a size": (
        GOOD + "sizes: {full: {training: {phase: []}}}",
        "sizes.full: training.phase: unknown key; did you mean 'phases'?",
    ),
    "sizes that are no blocks": (GOOD + "sizes: [full]", "sizes: Input should be a valid dictionary (got ['full'])"),
    "misspelt key of a panel": (
        GOOD + "panels: {figure_1: {a: {cell: {model: vae1}}}}",
        "panels.figure_1.a.cells: is missing; add it\n"
        "{file}: panels.figure_1.a.cell: unknown key; did you mean 'cells'?",
    ),
    "panels of a figure without": (GOOD + "figures: [panels_figure_1]", "figures: 'panels_figure_1' is unknown"),
    "picture of an unknown dataset": (
        GOOD + "figures: [traces_pcb]",
        "figures: 'traces_pcb' is unknown; did you mean 'traces_pca'?",
    ),
    "no block": (GOOD + "grids: []", "grids: List should have at least 1 item"),
    "empty block": (GOOD + "grids: [{model: vae1}, {}]", "grids.1: is empty; name a model or a setting in it, or take"),
    "nothing varied": (GOOD + "grids: [{vary: {}}]", "grids.0.vary: Dictionary should have at least 1 item"),
    "nothing goes together": (GOOD + "grids: [{with: {}}]", "grids.0.with: Dictionary should have at least 1 item"),
    "misspelt vary": (
        GOOD + "grids: [{vray: {beta: 2}}]",
        "grids.0: 'vray' is no key with settings in it; did you mean 'vary'?",
    ),
    "settings of a block under another name": (
        GOOD + "grids: [{model: vae1, set: {steps: 2}}]",
        "grids.0: 'set' is no key with settings in it; known are: vary, with",
    ),
    "key of a block without a value": (GOOD + "grids: [{beta: []}]", "grids.0.beta: List should have at least 1 item"),
    "varied axis without a value": (
        GOOD + "grids: [{vary: {beta: []}}]",
        "grids.0.vary.beta: List should have at least 1 item",
    ),
    "negative count of a block": (
        GOOD + "grids: [{seed: {count: -1}}]",
        "grids.0.seed: an axis is a list of values, or",
    ),
    "unknown model of a block": (
        GOOD + "grids: [{beta: 2}, {model: [vae1, vea1]}]",
        "grids.1.model: 'vea1' is unknown; did you mean 'vae1'?",
    ),
    "unknown dataset of a block": (
        GOOD + "grids: [{dataset: pac}]",
        "grids.0.dataset: 'pac' is unknown; did you mean 'pca'?",
    ),
    **{
        f"block without {axis}": (
            f"study: a\naxes: {{{', '.join(f'{other}: [{value}]' for other, value in values.items())}}}\n"
            f"grids: [{{{axis}: {given}}}, {{beta: 2}}]",
            f"grids.1: the axis {axis!r} is missing, here and in axes; add for example {axis}: ",
        )
        for axis, given in EVERY.items()
        for values in [{other: value for other, value in EVERY.items() if other != axis}]
    },
    "panels without a model": (
        "study: a\naxes: {dataset: [pca], seed: [0]}\n"
        "grids: [{model: vae1}]\npanels: {f: {a: {cells: {dataset: pca}}}}",
        "axes: the axis 'model' is missing; add for example",
    ),
    "mistake in a block of a size": (
        GOOD + "sizes: {full: {grids: [{vray: {beta: 2}}]}}",
        "sizes.full: grids.0: 'vray' is no key",
    ),
    "panel without rows": (
        GOOD + "panels: {figure_1: {a: {cells: {model: vae1}, rows: []}}}",
        "panels.figure_1.a.rows: List should have at least 1 item",
    ),
    "number as a key": (GOOD + "1: 2", "Keys should be strings"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_name_the_file_the_key_and_the_fix(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(StudyError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message.format(file=path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1 + message.count("\n")


def test_every_mistake_is_told_at_once(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(GOOD + "pack: {size: 0}\nfigures: [trace]\n")
    with pytest.raises(StudyError, match=r"pack\.size.*\n.*figures"):
        read(path)


def test_a_size_takes_a_key_out(tmp_path):
    path = tmp_path / "study.yaml"
    panels = "panels: {figure_1: {a: {cells: {model: vae1}}, b: {cells: {model: vae1}, nats: [0, 1]}}}\n"
    path.write_text(GOOD + panels + "sizes: {small: {panels: {figure_1: {b: null}}}, large: {panels: null}}\n")
    assert {size: [*read(path, size).panels.get("figure_1", {})] for size in (None, "small", "large")} == {
        None: ["a", "b"],
        "small": ["a"],
        "large": [],
    }


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(StudyError, match=r"none\.yaml: cannot be read \(No such file or directory\); name an existing"):
        read(tmp_path / "none.yaml")
    with pytest.raises(StudyError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\x89HDF\r\n\x1a\n\xff")
    with pytest.raises(StudyError, match=r"binary\.yaml: not a text file in UTF-8"):
        read(tmp_path / "binary.yaml")


def test_schema_for_editors_describes_every_key_and_agrees_with_the_reader():
    schema = Study.model_json_schema()
    for name, block in {"Study": schema, **schema["$defs"]}.items():
        for key, field in block["properties"].items():
            block_described_elsewhere = "$ref" in field
            assert block_described_elsewhere or field.get("description"), f"{name}.{key}"
        assert name == "Study" or block["description"], name
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    validator = validator(json.loads(json.dumps(schema)))
    for axis in ("[0]", "{count: 3}", "{count: 3, start: 4}"):
        validator.validate(yaml.safe_load(GOOD.replace("[0]", axis)))
    validator.validate(yaml.safe_load(GOOD + "plugins: [my_models.py]"))
    validator.validate(yaml.safe_load(GOOD + "grids: [{seed: {count: 2}, beta: 2, vary: {latent_dim: [4, 8]}}]"))
    wrong = ["unknown key", "unknown key of a phase", "negative count", "missing axes", "empty axis", "bad name"]
    for name in (*wrong, "no block", "misspelt vary", "nothing varied", "key of a block without a value"):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(yaml.safe_load(MISTAKES[name][0]))


@pytest.mark.parametrize(
    ("evaluation", "tables"),
    [
        ({}, ["final"]),
        ({"subset_sizes": [10, 100]}, ["final", "subsets"]),
        ({"batches": True}, ["final"]),
    ],
)
def test_tables_of_a_study(evaluation, tables):
    axes = {"model": ["vae1"], "dataset": ["pca"], "seed": [0]}
    assert Study(study="a", axes=axes, training={"evaluation": evaluation}).tables == tables


@pytest.mark.parametrize("axis", ["batches", "training.evaluation.batches"])
def test_a_table_that_an_axis_asks_for(axis):
    axes = {"model": ["linear_vae"], "dataset": ["stream"], axis: [False, True], "seed": [0]}
    assert Study(study="a", axes=axes).tables == ["final", "model_selection"]


@pytest.mark.parametrize("block", [{"batches": True}, {"vary": {"batches": True}}, {"with": {"batches": True}}])
def test_a_table_that_a_block_asks_for(block):
    axes = {"model": ["linear_vae"], "dataset": ["pca"], "seed": [0]}
    grids = [{"dataset": "pca"}, {"dataset": "stream", **block}]
    assert Study.model_validate({"study": "a", "axes": axes, "grids": grids}).tables == ["final", "model_selection"]
    assert Study.model_validate({"study": "a", "axes": axes, "grids": grids[:1]}).tables == ["final"]


@pytest.mark.parametrize("figure", ["traces_pca", "traces_stream"])
def test_a_picture_of_the_dataset_of_a_block(figure):
    axes = {"model": ["linear_vae"], "dataset": ["pca"], "seed": [0]}
    grids = [{"dataset": "pca"}, {"dataset": "stream"}]
    assert Study.model_validate({"study": "a", "axes": axes, "grids": grids, "figures": [figure]}).figures == [figure]


def test_data_in_segments_have_a_table_of_model_selection(monkeypatch):
    segmented = create_model("Segmented", __base__=DATASETS["pca"], segment=(int, 100))
    monkeypatch.setitem(DATASETS, "pca", segmented)
    axes = {"model": ["linear_vae"], "dataset": ["pca"], "latent_dim": [2, 4], "seed": [0]}
    study = Study(study="a", axes=axes, training={"evaluation": {"batches": True}})
    assert study.tables == ["final", "model_selection"]
