"""Plugins: models from outside are known by name, their code is part of their identity, mistakes say what to do."""

import json
import subprocess
import sys

import pytest

from entropy_sums.cli import main
from entropy_sums.data import load
from entropy_sums.models import build
from entropy_sums.study.catalogue import BUILT_IN
from entropy_sums.study.errors import StudyError
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import Study, read
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica

STUDY = "study: a\nplugins: [mine.py]\naxes: {model: [vae1, wide_vae], dataset: [pca], seed: [0, 1]}\n"

SETTINGS = """\
from entropy_sums.models.vae.settings import VAE1Settings


class WideVAESettings(VAE1Settings):
    implementation = "mine_torch:wide_vae"
    encoder_width: int = 70


MODELS = {"wide_vae": WideVAESettings}
"""
CODE = """\
from entropy_sums.models.vae.gaussian import vae1
from mine_helper import answer


def wide_vae(blueprint):
    model = vae1(blueprint)
    model.answer = answer
    return model
"""
HELPER = "answer = 1\n"


@pytest.fixture(autouse=True)
def _left_as_found():
    """No plugin changes what is known, or found, elsewhere in the process."""
    before = {name: dict(vars(BUILT_IN)[name]) for name in ("models", "datasets", "figures", "tables", "optimizers")}
    modules, path = set(sys.modules), list(sys.path)
    yield
    assert {name: vars(BUILT_IN)[name] for name in before} == before
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if name.startswith(("mine", "wide", "other"))}


def files(folder, **changes):
    """A study with its plugin in `folder`: settings, code, helper; returns the study file."""
    folder.mkdir(exist_ok=True)
    texts = {"study.yaml": STUDY, "mine.py": SETTINGS, "mine_torch.py": CODE, "mine_helper.py": HELPER}
    for name, text in {**texts, **changes}.items():
        (folder / name).write_text(text)
    return folder / "study.yaml"


def identities(path):
    return {name: job.identity for name, job in Grid(read(path)).jobs.items()}


def test_models_are_known_in_a_study(tmp_path):
    grid = Grid(read(files(tmp_path)))
    assert list(grid.jobs) == ["vae1/pca/seed=0-1", "wide_vae/pca/seed=0-1"]
    run = grid.jobs["wide_vae/pca/seed=0-1"].runs[0]
    assert run.model_settings.encoder_width == 70
    assert run.configuration["model"]["source"] == grid.study.plugins["mine.py"]


def test_implementations_beside_the_file_are_built(tmp_path):
    import torch

    wide_vae = read(files(tmp_path)).catalogue.models["wide_vae"]
    model = build([wide_vae()], 3, [torch.Generator().manual_seed(0)])
    assert model.answer == 1
    assert model.bound(torch.zeros(5, 3), torch.zeros(1, 5, 2)).elbo.isfinite().all()


def test_settings_of_a_plugin_are_axes(tmp_path):
    wide = STUDY.replace("seed:", "encoder_width: [70, 30], seed:").replace("vae1, ", "")
    assert list(Grid(read(files(tmp_path, **{"study.yaml": wide}))).jobs) == [
        "wide_vae/pca/seed=0-1",
        "wide_vae/pca/encoder_width=30/seed=0-1",
    ]


@pytest.mark.parametrize("name", ["mine.py", "mine_torch.py", "mine_helper.py"])
def test_an_edit_of_any_source_changes_the_identity_of_its_runs_only(tmp_path, name):
    path = files(tmp_path)
    before, said = identities(path), read(path).model_dump_json()
    edited = tmp_path / name
    edited.write_text(edited.read_text() + "# edited\n")
    after = identities(path)
    assert after["vae1/pca/seed=0-1"] == before["vae1/pca/seed=0-1"]
    assert after["wide_vae/pca/seed=0-1"] != before["wide_vae/pca/seed=0-1"]
    assert read(path).model_dump_json() != said  # what certificates and the collected file are made anew by


def test_an_identity_depends_on_the_source_and_on_nothing_else(tmp_path):
    before = identities(files(tmp_path / "a"))
    (tmp_path / "a" / "unrelated.py").write_text("a = 1\n")
    assert identities(tmp_path / "a" / "study.yaml") == before
    assert identities(files(tmp_path / "b")) == before


def test_an_axis_cannot_be_called_like_a_quantity_of_the_traces(tmp_path):
    """It would be found out when all runs are trained and collected."""
    settings = SETTINGS.replace("    encoder_width: int = 70\n", "    gap: int = 1\n")
    axes = STUDY.replace("seed: [0, 1]", "seed: [0, 1], {axis}: [1, 2]").replace("vae1, ", "")
    path = files(tmp_path, **{"mine.py": settings, "study.yaml": axes.replace("{axis}", "gap")})
    with pytest.raises(StudyError, match=r"axes\.gap: a quantity .* write where the setting is, such as model\.gap"):
        Grid(read(path), path)
    path.write_text(axes.replace("{axis}", "model.gap"))
    assert {run.coordinates["model.gap"] for run in Grid(read(path), path).runs} == {1, 2}


def test_a_plugin_leaves_our_own_runs_as_they_are(tmp_path):
    plain = STUDY.replace("plugins: [mine.py]\n", "").replace(", wide_vae", "")
    alone = identities(files(tmp_path, **{"study.yaml": plain}))
    assert alone.items() <= identities(files(tmp_path)).items()
    assert all("source" not in run.configuration["model"] for run in Grid(read(files(tmp_path))).runs[:2])


def test_the_same_file_again_is_the_same_code(tmp_path):
    path = files(tmp_path)
    assert identities(path) == identities(path)
    assert read(path).plugins == read(path).plugins


def test_each_file_is_run_once_for_all_sizes(tmp_path):
    counted = SETTINGS + "import pathlib\nwith pathlib.Path(__file__).with_name('runs').open('a') as f: f.write('.')\n"
    path = files(tmp_path, **{"mine.py": counted, "study.yaml": STUDY + "sizes: {small: {}, large: {note: big}}\n"})
    read(path, "small")
    assert (tmp_path / "runs").read_text() == "."


def test_an_implementation_sees_the_settings_that_the_study_has(tmp_path):
    import torch

    code = "from mine import WideVAESettings\n" + CODE.replace("answer = answer", "answer = WideVAESettings")
    run = Grid(read(files(tmp_path, **{"mine_torch.py": code}))).runs[-1]
    model = build([run.model_settings], 3, [torch.Generator().manual_seed(0)])
    assert model.answer is type(run.model_settings)


def test_two_studies_live_side_by_side(tmp_path):
    """Each has its own code, also that which is imported when the other one was read already."""
    import torch

    first = Grid(read(files(tmp_path / "a")))
    changes = {"mine.py": SETTINGS.replace("70", "90"), "mine_helper.py": "answer = 22\n"}
    second = Grid(read(files(tmp_path / "b", **changes)))
    for grid, width, answer in ((first, 70, 1), (second, 90, 22)):
        settings = grid.runs[-1].model_settings
        assert settings.encoder_width == width
        assert build([settings], 3, [torch.Generator().manual_seed(0)]).answer == answer


def test_a_second_study_may_have_another_plugin_of_the_same_names(tmp_path):
    import torch

    first = files(tmp_path / "a")
    changes = {"mine.py": SETTINGS.replace("70", "90"), "mine_helper.py": "answer = 22\n"}
    second = files(tmp_path / "b", **changes)
    for path, width, answer in ((first, 70, 1), (second, 90, 22), (first, 70, 1)):
        run = Grid(read(path)).runs[-1]
        assert run.model_settings.encoder_width == width
        assert build([run.model_settings], 3, [torch.Generator().manual_seed(0)]).answer == answer


def test_a_study_is_gone_through_after_another_one_was_read(tmp_path):
    first = files(tmp_path / "a")
    expected = identities(first)
    grid = Grid(read(first))
    other = {
        name: text.replace("wide_vae", "broad_vae") for name, text in (("mine.py", SETTINGS), ("study.yaml", STUDY))
    }
    read(files(tmp_path / "b", **other))
    assert {name: job.identity for name, job in grid.jobs.items()} == expected


def test_an_edit_is_read_in_the_same_process(tmp_path):
    path = files(tmp_path)
    read(path)
    (tmp_path / "mine.py").write_text(SETTINGS.replace("wide_vae", "wider_vae").replace("70", "100"))
    path.write_text(STUDY.replace("wide_vae", "wider_vae"))
    assert Grid(read(path)).runs[-1].model_settings.encoder_width == 100
    assert "wide_vae" not in read(path).catalogue.models


def test_sizes_may_name_further_plugins(tmp_path):
    whole = STUDY + "sizes: {full: {plugins: [mine.py, other.py], axes: {model: [other_vae]}}}\n"
    other = SETTINGS.replace("wide_vae", "other_vae").replace("mine_torch:other_vae", "mine_torch:wide_vae")
    path = files(tmp_path, **{"study.yaml": whole, "other.py": other})
    assert list(read(path).plugins) == ["mine.py"]
    assert "other_vae" not in read(path).catalogue.models
    assert [run.model for run in Grid(read(path, "full")).runs] == ["other_vae"] * 2


def test_helpers_may_be_packages(tmp_path):
    code = CODE.replace("from mine_helper import answer", "from mine_tools.deep import answer")
    (tmp_path / "mine_tools").mkdir()
    (tmp_path / "mine_tools" / "__init__.py").write_text("")
    (tmp_path / "mine_tools" / "deep.py").write_text(HELPER)
    path = files(tmp_path, **{"mine_torch.py": code})
    before = identities(path)
    (tmp_path / "mine_tools" / "deep.py").write_text(HELPER + "# edited\n")
    assert identities(path) != before


def test_planning_imports_neither_torch_nor_scipy(tmp_path):
    script = (
        "import sys; from pathlib import Path; from entropy_sums.study.grid import Grid; "
        f"from entropy_sums.study.schema import Study, read; Grid(read(Path({str(files(tmp_path))!r}))).jobs; "
        "print('torch' in sys.modules or 'scipy' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def entry(name, value='type("S", (VAE1Settings,), {})'):
    """A plugin with one more entry in MODELS."""
    return SETTINGS + f"MODELS[{name!r}] = {value}\n"


DATA = """\
from entropy_sums.data.base import DrawnSettings


class Dice(DrawnSettings):
    name = "dice"
    source = "thrown"

    sides: int = 6

    def arrays(self, data_dir, generator):
        parts = {"train": self.train, "test": self.test}
        return {part: generator.integers(1, self.sides + 1, (n, 3)) for part, n in parts.items()}


DATASETS = {"dice": Dice}
"""
DRAWING = """\
from entropy_sums.study.pictures import Figure
from entropy_sums.study.tables import Table

FIGURES = {"hello": Figure("mine_draw:draw", "mine_draw:caption", of_each="dataset")}
TABLES = {"counts": Table("mine_draw:count", "Counts")}
"""
DRAW = """\
from mine_helper import answer


def draw(tree):
    return f"drawn {answer}"


def caption(tree):
    return "said"


def count(tree):
    return [{"groups": len(tree.children)}]
"""
SLOW = """\
from entropy_sums.training.optimizers.sgd import SGD


class Slow(SGD):
    \"\"\"Gradient ascent at a tenth of the learning rate.\"\"\"

    name = "slow"

    def update(self, group, gradients, learning_rate):
        super().update(group, gradients, learning_rate / 10)


OPTIMIZERS = {"slow": Slow}
"""
WITH_ALL = {
    "study.yaml": "study: a\nplugins: [mine.py]\naxes: {model: [vae1, wide_vae], dataset: [pca, dice], seed: [0]}\n"
    "figures: [hello, gap_by_model]\n",
    "mine.py": SETTINGS + DATA + DRAWING + SLOW,
    "mine_draw.py": DRAW,
}
"""A plugin with a member of each kind."""


def test_every_member_of_a_plugin_is_explained(tmp_path, capsys):
    study = str(files(tmp_path, **WITH_ALL))
    assert main(["settings", "--study", study]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert {"wide_vae", "dice", "slow"} <= listed
    assert main(["settings", "slow", "--study", study]) == 0
    assert capsys.readouterr().out.startswith("`slow`: Gradient ascent at a tenth of the learning rate.")


def test_datasets_are_known_in_a_study(tmp_path):
    grid = Grid(read(files(tmp_path, **WITH_ALL)))
    assert [run.dataset for run in grid.runs] == ["pca", "dice"] * 2
    dice = grid.runs[1]
    assert dice.dataset_settings.sides == 6
    assert dice.configuration["dataset"]["source"] == grid.study.plugins["mine.py"]
    assert "source" not in grid.runs[0].configuration["dataset"]
    data = load(dice.dataset_settings, tmp_path)
    assert data.train.shape == (1000, 3)


def test_edited_code_of_a_dataset_makes_its_data_and_runs_anew(tmp_path):
    path = files(tmp_path, **WITH_ALL)
    before = Grid(read(path)).jobs
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text().replace("self.sides + 1", "self.sides + 2"))
    after = Grid(read(path)).jobs
    changed = {name: before[name].data != after[name].data for name in before}
    assert changed == {name: "/dice/" in name for name in before}
    assert before["vae1/pca/seed=0"].identity == after["vae1/pca/seed=0"].identity
    assert before["vae1/dice/seed=0"].identity != after["vae1/dice/seed=0"].identity


def test_optimizers_are_known_in_a_study(tmp_path):
    """As an axis, and beside ours; the code of one belongs to the identity of its runs only."""
    axis = STUDY.replace("model: [vae1, wide_vae]", "model: [vae1], optimizer: [sgd, slow]")
    path = files(tmp_path, **{"mine.py": SLOW, "study.yaml": axis})
    grid = Grid(read(path))
    ours, slow = (
        grid.jobs[name].runs[0] for name in ("vae1/pca/optimizer=sgd/seed=0-1", "vae1/pca/optimizer=slow/seed=0-1")
    )
    assert slow.training.phases[0].kind is grid.study.catalogue.optimizers["slow"]
    assert slow.configuration["training"]["phases"][0]["source"] == grid.study.plugins["mine.py"]
    assert "source" not in ours.configuration["training"]["phases"][0]
    before = identities(path)
    (tmp_path / "mine.py").write_text(SLOW.replace("/ 10", "/ 20"))
    after = identities(path)
    assert {name: before[name] == after[name] for name in before} == {name: "slow" not in name for name in before}


def test_an_optimizer_of_a_plugin_trains(tmp_path):
    import numpy as np

    training = (
        "training: {phases: [{steps: 3, batch_size: full, optimizer: NAME, learning_rate: RATE}], precision: float64}\n"
    )
    axes = "study: a\nplugins: [mine.py]\naxes: {model: [vae1], dataset: [pca], seed: [0]}\n"
    elbos = {}
    for name, rate in (("slow", "1e-2"), ("sgd", "1e-3")):
        text = axes + training.replace("NAME", name).replace("RATE", rate)
        (run,) = Grid(read(files(tmp_path, **{"mine.py": SLOW, "study.yaml": text}))).runs
        points = load(run.dataset_settings, tmp_path)
        pack = Pack([Replica(0, run.model_settings, run.training)], points.train, points.test)
        elbos[name] = [record["elbo"] for record in pack.run().records]
    np.testing.assert_allclose(elbos["slow"], elbos["sgd"], rtol=1e-12)
    assert len(elbos["slow"]) > 2


def test_figures_and_tables_are_known_in_a_study(tmp_path):
    study = read(files(tmp_path, **WITH_ALL))
    assert Grid(study).pictures == ["hello_pca", "hello_dice", "gap_by_model"]
    assert study.tables == ["final", "counts"]
    assert study.catalogue.figure("hello_dice").draw == "mine_draw:draw"
    draw, caption = study.catalogue.figures["hello"].code()
    assert (draw(None), caption(None)) == ("drawn 1", "said")


@pytest.mark.parametrize("name", ["mine_draw.py", "mine_helper.py"])
def test_edited_code_of_a_figure_is_drawn_anew(tmp_path, name):
    """And trains nothing, unless it is that of a model, too."""
    path = files(
        tmp_path, **{**WITH_ALL, "mine_torch.py": "from entropy_sums.models.vae.gaussian import vae1 as wide_vae"}
    )
    before, said, jobs = read(path).catalogue, read(path).model_dump_json(), identities(path)
    (tmp_path / name).write_text((tmp_path / name).read_text() + "# edited\n")
    after = read(path).catalogue
    assert before.figures["hello"].source != after.figures["hello"].source
    assert before.tables["counts"].source != after.tables["counts"].source
    assert before.figures["gap_by_model"].source == after.figures["gap_by_model"].source == ""
    assert identities(path) == jobs
    assert read(path).model_dump_json() == said


def with_all(old, new):
    """The plugin of everything, with a change."""
    assert old in WITH_ALL["mine.py"]
    return {**WITH_ALL, "mine.py": WITH_ALL["mine.py"].replace(old, new)}


MISTAKES = {
    "no such file": ({"study.yaml": STUDY.replace("mine", "nime")}, "nime.py: no such file; name a Python file, as"),
    "a folder": ({"study.yaml": STUDY.replace("mine.py", ".")}, "no such file; name a Python file"),
    "no list": ({"study.yaml": STUDY.replace("[mine.py]", "mine.py")}, "plugins are a list of Python files, such as"),
    "no text": ({"study.yaml": STUDY.replace("mine.py", "1")}, "such as [my_models.py] (got [1])"),
    "no module": (
        {"study.yaml": STUDY.replace("mine", "my-own"), "my-own.py": SETTINGS},
        "my-own.py: cannot be a module; rename it to letters, digits and underscores, then .py",
    ),
    "other suffix": (
        {"study.yaml": STUDY.replace("mine.py", "study.yaml")},
        "study.yaml: cannot be a module; rename",
    ),
    "twice": ({"study.yaml": STUDY.replace("mine.py", "mine.py, mine.py")}, "mine.py: a second plugin of this name;"),
    "of the standard library": (
        {"study.yaml": STUDY.replace("mine", "json"), "json.py": SETTINGS},
        "json.py: 'json' is also the module",
    ),
    "helper of the standard library": (
        {"mine_helper.py": "import shelve\nanswer = 1\n", "shelve.py": "a = 1\n"},
        "shelve.py: 'shelve' is also the module",
    ),
    "installed": (
        {"study.yaml": STUDY.replace("mine", "pydantic"), "pydantic.py": SETTINGS},
        "pydantic.py: 'pydantic' is also the module",
    ),
    "syntax": ({"mine.py": SETTINGS + "def f(:\n"}, "mine.py: line 10: not valid Python: invalid syntax"),
    "syntax of the code": ({"mine_torch.py": "def f(:\n"}, "mine_torch.py: line 1: not valid Python: invalid syntax"),
    "import": (
        {"mine.py": "import nothing_of_this_name\n"},
        "mine.py: cannot be imported (ModuleNotFoundError: No module named 'nothing_of_this_name'); `python ",
    ),
    "error while imported": (
        {"mine.py": "1 / 0\n"},
        "cannot be imported (ZeroDivisionError: division by zero)",
    ),
    "leaves the process": ({"mine.py": "raise SystemExit(3)\n"}, "mine.py: cannot be imported (SystemExit: 3)"),
    "no mapping": (
        {"mine.py": SETTINGS + "DATASETS = 3\n"},
        "mine.py: DATASETS: 3 is no mapping; write DATASETS = {{'name_in_studies': …}}",
    ),
    "no MODELS": ({"mine.py": "a = 1\n"}, "mine.py: MODELS is missing; add MODELS = {{'name_in_studies': Class"),
    "empty MODELS": ({"mine.py": "MODELS = {}\n"}, "mine.py: MODELS is missing; add MODELS ="),
    "our name": ({"mine.py": entry("vae1")}, "mine.py: MODELS: 'vae1': 'vae1' is a model already; choose another name"),
    "the group of ours": ({"mine.py": entry("VAE_1")}, "'VAE_1': 'vae1' is a model already; choose another name"),
    "its own group twice": ({"mine.py": entry("widevae")}, "'widevae': 'wide_vae' is a model already; choose"),
    "our settings": (
        {"mine.py": entry("my_vae", "VAE1Settings")},
        "'my_vae': its settings are those of 'vae1'; make a subclass of them",
    ),
    "our mapping": (
        {"mine.py": "from entropy_sums.models.catalogue import MODELS\n"},
        "is a model already; choose another name",
    ),
    "bad name": ({"mine.py": entry("my vae")}, "'my vae': a name is a letter, then letters, digits and underscores"),
    "no name": ({"mine.py": entry(1)}, "MODELS: 1: a name is a letter, then letters"),
    "no class": (
        {"mine.py": entry("my_vae", "3")},
        "'my_vae': 3 is no class of settings; make a subclass of",
    ),
    "another class": (
        {"mine.py": entry("my_vae", "dict")},
        "<class 'dict'> is no class of settings; make",
    ),
    "reserved setting": (
        {"mine.py": SETTINGS.replace("encoder_width:", "source:")},
        "'wide_vae': a setting cannot be called 'source', which stands for the model itself; rename it",
    ),
    "no implementation": (
        {"mine.py": SETTINGS.replace("VAE1S", "ModelS").replace('    implementation = "mine_torch:wide_vae"\n', "")},
        "'wide_vae': no implementation; add implementation = 'module:function', which builds it from a Blueprint",
    ),
    "implementation without a function": (
        {"mine.py": SETTINGS.replace("mine_torch:wide_vae", "mine_torch")},
        "'wide_vae': no implementation; add implementation = 'module:function'",
    ),
    "implementation that is not there": (
        {"mine.py": SETTINGS.replace("mine_torch:", "mime_torch:")},
        "implementation 'mime_torch:wide_vae': no module 'mime_torch' beside this file, nor installed",
    ),
    "two plugins of one model": (
        {"study.yaml": STUDY.replace("mine.py", "mine.py, other.py"), "other.py": SETTINGS},
        "other.py: MODELS: 'wide_vae': 'wide_vae' is a model already; choose another name",
    ),
}


OTHER_MISTAKES = {
    "our dataset": (with_all('"dice"', '"pca"'), "DATASETS: 'pca': 'pca' is a dataset already; choose another name"),
    "another name": (
        with_all('{"dice": Dice}', '{"die": Dice}'),
        "'die': its class is called 'dice'; write name =",
    ),
    "no source": (with_all('    source = "thrown"\n', ""), "'dice': says not where it comes from; write source = "),
    "no data": (with_all("def arrays", "def data"), "'dice': Dice does not make its data; add the method arrays("),
    "no dataset": (with_all('{"dice": Dice}', '{"dice": 3}'), "'dice': 3 is no class of settings; make a subclass of"),
    "reserved setting": (with_all("sides: int", "source: int"), "'dice': a setting cannot be called 'source'"),
    "no figure": (
        with_all('FIGURES = {"hello": ', 'FIGURES = {"hello": 1, "b": '),
        "FIGURES: 'hello': 1 is no figure;",
    ),
    "our figure": (with_all('{"hello"', '{"traces"'), "FIGURES: 'traces': 'traces' is a figure already; choose"),
    "picture of ours": (with_all('"hello"', '"traces_pca"'), "'traces_pca': reads as a picture of 'traces', as"),
    "of each what": (with_all('of_each="dataset"', 'of_each="data"'), "of_each is 'data'; did you mean 'dataset'?, or"),
    "no code": (with_all("mine_draw:draw", "mine_drew:draw"), "draw 'mine_drew:draw': no module 'mine_drew' beside"),
    "no function": (with_all("mine_draw:caption", "mine_draw"), "caption is 'mine_draw'; write caption='module:"),
    "our table": (with_all('{"counts"', '{"final"'), "TABLES: 'final': 'final' is a table already; choose another"),
    "no table": (with_all('Table("mine_draw:count", "Counts")', "1"), "TABLES: 'counts': 1 is no table; write"),
    "our optimizer": (with_all('"slow"', '"sgd"'), "OPTIMIZERS: 'sgd': 'sgd' is an optimiser already; choose another"),
    "no optimizer": (
        with_all('{"slow": Slow}', '{"slow": 1}'),
        "'slow': 1 is no optimiser; make a subclass of entropy",
    ),
    "nothing installed": (
        {"study.yaml": STUDY.replace("mine.py", "my-models")},
        "'my-models' is no Python file, and no entry point of the group entropy_sums.plugins; no plugin is installed",
    ),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [*MISTAKES.values(), *((c, m.replace("{", "{{").replace("}", "}}")) for c, m in OTHER_MISTAKES.values())],
    ids=[*MISTAKES, *(f"other {name}" for name in OTHER_MISTAKES)],
)
def test_mistakes_name_the_file_the_key_and_the_fix(tmp_path, changes, message):
    path = files(tmp_path, **changes)
    with pytest.raises(StudyError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: plugins: ")
    assert message.format() in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_installed_modules_are_no_part_of_a_plugin(tmp_path):
    (tmp_path / "entropy_sums").mkdir()
    with pytest.raises(StudyError, match=r"mine\.py: lies among installed modules.*; move it to another folder"):
        read(files(tmp_path))


def test_after_a_mistake_is_mended_the_plugin_is_read(tmp_path):
    path = files(tmp_path, **{"mine_torch.py": "def f(:\n"})
    with pytest.raises(StudyError):
        read(path)
    files(tmp_path)
    assert json.loads(read(path).model_dump_json())["plugins"].keys() == {"mine.py"}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with a plugin, as pip installs one."""
    place = tmp_path / "installed"
    (place / "dice_models").mkdir(parents=True)
    (place / "dice_models" / "__init__.py").write_text("")
    (place / "dice_models" / "plugin.py").write_text(DATA)
    (place / "dice_models-1.dist-info").mkdir()
    (place / "dice_models-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: dice-models\nVersion: 1\n"
    )
    points = "[entropy_sums.plugins]\ndice-models = dice_models.plugin\n"
    (place / "dice_models-1.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(place)
    yield place
    for name in [name for name in sys.modules if name.partition(".")[0] == "dice_models"]:
        del sys.modules[name]


def test_installed_plugins_are_known_in_studies_that_name_them(tmp_path, installed):
    text = "study: a\nplugins: [dice-models]\naxes: {model: [vae1], dataset: [dice], seed: [0]}\n"
    path = files(tmp_path, **{"study.yaml": text})
    (run,) = Grid(read(path)).runs
    assert run.configuration["dataset"]["source"] == read(path).plugins["dice-models"]
    (installed / "dice_models" / "helper.py").write_text("a = 1\n")
    assert run.configuration["dataset"]["source"] != read(path).plugins["dice-models"]
    path.write_text(text.replace("dice-models", "dice-model"))
    with pytest.raises(StudyError, match=r"no entry point of the group .*; installed are: dice-models"):
        read(path)
    path.write_text(text.replace("plugins: [dice-models]\n", ""))
    with pytest.raises(StudyError, match=r"dataset: 'dice' is unknown"):
        read(path)


def test_a_study_without_its_file_has_no_plugins():
    axes = {"model": ["vae1"], "dataset": ["pca"], "seed": [0]}
    with pytest.raises(ValueError, match=r"are loaded with a study file only; read it with entropy_sums"):
        Study(study="a", plugins=["mine.py"], axes=axes)
