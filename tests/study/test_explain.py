"""What `entropy-sums settings` says of every model, dataset and block of training."""

import pytest

from entropy_sums import cli
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models.catalogue import MODELS
from entropy_sums.study.errors import StudyError
from entropy_sums.study.explain import TRAINING, describe, overview
from entropy_sums.training.optimizers.catalogue import OPTIMIZERS

KNOWN = {**MODELS, **DATASETS, **TRAINING}


@pytest.mark.parametrize("name", KNOWN)
def test_every_setting_is_there_with_what_may_be_written_and_what_it_means(name):
    lines = describe(name).splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert len(lines[0]) > len(f"{name}: ") + 10
    heads = [line.split(":")[0].strip() for line in lines[1:] if line.startswith("  ") and line[2] != " "]
    assert heads == list(KNOWN[name].model_fields)
    assert ("block of settings" in describe(name)) == (name == "training")
    for head, following in zip(lines[1:], [*lines[2:], ""], strict=True):
        assert head.startswith("      ") or following.startswith("      "), f"{head} has no description"


def test_values_and_defaults():
    text = describe("sbn")
    assert "  estimator: disarm | reinforce | vimco | wake_sleep | enumeration (default disarm)" in text
    assert "  prior_mean: number above 0 below 1 (default 0.2)" in text
    assert "  batch_size: whole number above 0 or full (default 100)" in describe("phases")
    assert "  centred: true or false (default true)" in describe("rbm")
    assert "  path: text (required)" in describe("array")
    assert "4500000" in describe("susy")


def test_all_names_are_listed():
    listed = {line.split()[0] for line in overview().splitlines() if line.startswith("  ")}
    assert listed == KNOWN.keys() | OPTIMIZERS.keys()


def test_an_optimiser():
    assert describe("em").startswith("`em`: Expectation maximisation")
    assert "Takes full batches" in describe("em")


def test_a_misspelt_name():
    with pytest.raises(StudyError, match=r"'rmb' is no model, .*; did you mean 'rbm'"):
        describe("rmb")


def test_several_names_at_once(capsys):
    assert cli.main(["settings", "rbm", "digits"]) == 0
    said = capsys.readouterr().out
    assert said == f"{describe('rbm')}\n\n{describe('digits')}\n"
    assert cli.main(["settings", "nothing"]) == 2
