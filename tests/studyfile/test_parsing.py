"""Parsing of study files: the objects that come out, and the message on every mistake."""

from __future__ import annotations

import re

import pytest
from tiny_studies import TINY

from remix_study.errors import StudyFileError
from remix_study.study.checks import check_study
from remix_study.studyfile.parsing import (
    built_in_studies,
    find_study,
    load_study,
    parse_study,
)
from remix_study.studyfile.schema import PRESETS, Training
from remix_study.studyfile.training_keys import override

HEAD = '[study]\nname = "a"\n'


def error_message(text: str) -> str:
    """The one-line message on a study file, after its name."""
    with pytest.raises(StudyFileError) as caught:
        check_study(parse_study(text, "my.toml"))
    message = str(caught.value)
    assert message.startswith("my.toml: ")
    assert "\n" not in message
    return message.removeprefix("my.toml: ")


def test_a_file_becomes_frozen_objects():
    study = parse_study(TINY, "my.toml")
    assert (study.name, study.seed, study.objectives) == ("tiny", 2020, ("g_mean", "bbs"))
    assert study.problems[0].dataset == "wine"
    assert study.cv.repeats == 1
    assert study.model.options == {"hidden": [4]}
    assert study.training.batch_size == 16
    assert study.text == TINY
    with pytest.raises(AttributeError):
        study.name = "other"


def test_a_preset_sets_what_the_file_leaves_out():
    training = parse_study(HEAD + '[training]\npreset = "paper"\npatience = 3\n').training
    assert (training.epochs, training.schedule) == (500, "plateau")
    assert training.patience == 3
    assert parse_study(HEAD).training == Training(**PRESETS["quick"])


def test_a_problem_may_override_training_keys_alone():
    text = HEAD + (
        "[training]\nepochs = 50\n"
        '[[problems]]\ndataset = "wine"\nbatch_size = 8\n'
        '[[problems]]\ndataset = "digits"\npreset = "paper"\n'
    )
    first, second = parse_study(text).problems
    assert (first.training.batch_size, first.training.epochs) == (8, 50)
    # What [training] says outright is stronger than what a preset brings along.
    assert (second.training.batch_size, second.training.epochs) == (64, 50)
    assert second.training.stop == "lowest-rate"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[study", "not valid TOML: Expected ']' at the end of a table declaration (at end of do"),
        (
            '[study]\nname = "a"\nname = "b"\n',
            "not valid TOML: Cannot overwrite a value (at line 3",
        ),
        (
            "x = 0\n",
            "x: unknown key; known: study, problems, cv, model, features, augmentation, training",
        ),
        ('stduy.name = "a"', 'stduy: unknown key; did you mean "study"?'),
        ('"a\\nb" = 1', '"a\\nb": unknown key; known: study, '),
        ("study = 1", "study: write it as a table, [study]"),
        ("[study]", "study.name: missing; write up to 100 letters, digits, "),
        ('[study]\nname = "a b"', "study.name: expected up to 100 letters, digits, dots, "),
        ('[study]\nname = "a\\n"', "study.name: expected up to 100 letters, digits, dots, "),
        (HEAD + "nam = 1", 'study.nam: unknown key; did you mean "name"?'),
        (HEAD + "seed = -1", "study.seed: expected a whole number from 0 (found -1)"),
        (HEAD + "seed = 2.0", "study.seed: expected a whole number from 0 (found 2.0)"),
        (HEAD + "objectives = []", "study.objectives: expected a list with at least one of: text"),
        (
            HEAD + 'objectives = ["bbs", "bbs"]',
            "study.objectives: lists a metric twice;",
        ),
        (
            HEAD + 'objectives = ["gmean"]',
            'study.objectives: no metric "gmean"; write "g_m',
        ),
        (
            HEAD + 'extra_metrics = ["brier_rep"]',
            'study.extra_metrics: no extra metric "brier_rep"; did you mean "brier_repo"?',
        ),
        (
            HEAD + 'extra_metrics = ["brier_repo", "brier_repo"]',
            "study.extra_metrics: lists a metric twice; leave one out",
        ),
        (
            HEAD + 'objectives = ["brier_repo"]',
            'study.objectives: no metric "brier_repo"',
        ),
        (HEAD + "[cv]\nredraw = true", "cv.redraw: no problem has an imbalance, so no row is "),
        (HEAD + "[cv]\nredraw = 1", "cv.redraw: expected true or false (found 1)"),
        (HEAD + 'objectives = ["x"]', 'study.objectives: no metric "x"; known: g_mean, bbs, '),
        (HEAD + "problems = 1", "study.problems: unknown key"),
        ("problems = 1\n" + HEAD, "problems: write each problem as a [[problems]] table"),
        ("problems = [1]\n" + HEAD, "problems: write each problem as a [[problems]] table"),
        ("problems = []\n" + HEAD, "problems: empty; write at least one [[problems]] table"),
    ],
)
def test_messages_about_the_file_and_the_study(text, expected):
    assert error_message(text).startswith(expected)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ('preset = "slow"', 'training.preset: expected "paper" or "quick" (found "slow")'),
        ("preset = 1", 'training.preset: expected "paper" or "quick" (found 1)'),
        ("epoch = 1", 'training.epoch: unknown key; did you mean "epochs"?'),
        ("epochs = 0", "training.epochs: expected a whole number from 1 to 1,000,000 (found 0)"),
        ("epochs = true", "training.epochs: expected a whole number from 1 to 1,000,000 (found t"),
        ("epochs = 0x1" + "0" * 5000, "training.epochs: expected a whole number from 1 to 1,000,"),
        ("epochs = 1" + "0" * 5000, "not valid TOML: Exceeds the limit"),
        ("batch_size = 1", "training.batch_size: expected a whole number from 2 to 1,000,000 (f"),
        (
            "learning_rate = nan",
            "training.learning_rate: expected a number above 0 and up to 10 (",
        ),
        (
            "learning_rate = inf",
            "training.learning_rate: expected a number above 0 and up to 10 (",
        ),
        ("learning_rate = '1'", "training.learning_rate: expected a number above 0 and up to 10 "),
        ("plateau_factor = 1", "training.plateau_factor: expected a number above 0 and below 1 "),
        ("stop = 'later'", 'training.stop: expected "early" or "lowest-rate" or "never" (found '),
        ("stop = 1979-05-27", 'training.stop: expected "early" or "lowest-rate" or "never" (fou'),
        ("on_nan = 'ignore'", 'training.on_nan: expected "fail" or "worst" (found "ignore")'),
        (
            "epochs = 20\nstart_from_epoch = 20",
            "training.start_from_epoch: 20 leaves none of 20 epochs to choose from;",
        ),
        ("stop = 'lowest-rate'", 'training.stop: "lowest-rate" needs schedule = "plateau"'),
        (
            "schedule = 'plateau'\nlearning_rate = 1e-6",
            "training.lowest_rate: 1e-05 is above the learning_rate 1e-06",
        ),
    ],
)
def test_messages_about_training(key, expected):
    assert error_message(HEAD + "[training]\n" + key).startswith(expected)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", (0, 60)),
        ("start_from_epoch = 20", (20, 0)),
        ("start_from_epoch = 3\nstart_from_step = 9", (3, 9)),
        ("preset = 'paper'", (20, 0)),
    ],
)
def test_stopping_that_begins_by_epochs_does_not_count_steps(keys, expected):
    training = parse_study(HEAD + "[training]\n" + keys, "my.toml").problems[0].training
    assert (training.start_from_epoch, training.start_from_step) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("epoch = 1", 'problems[0].epoch: unknown key; did you mean "epochs"?'),
        (
            "zzz = 1",
            "problems[0].zzz: unknown key; known: dataset, file, files, images, sql, query, ",
        ),
        ("training = {}", "problems[0].training: write training keys into the problem itself"),
        ("epochs = 1.5", "problems[0].epochs: expected a whole number from 1 to 1,000,000 (foun"),
        ("dataset = 1", "problems[0].dataset: expected text (found 1)"),
        ("dataset = 'a'\nfile = 'b'\nlabel = 'c'", "problems[0]: give dataset or file, not both"),
        ("label = 'y'", "problems[0]: only a file or query has label; name one, or"),
        ("kind = 'multi'", 'problems[0].kind: expected "binary" or "multi-class" (found "multi")'),
        ("minority = 1", "problems[0].minority: expected a list of: text or a whole number (fou"),
        ("minority = [1.5]", "problems[0].minority[0]: expected text or a whole number (found 1"),
        ("minority = [true]", "problems[0].minority[0]: expected text or a whole number (found t"),
        ("imbalance = [0.1]", "problems[0].minority: name the rare classes that imbalance is ab"),
        ("imbalance = [0.1, 1.7]", "problems[0].imbalance[1]: expected a number above 0 and up t"),
        ("imbalance = 0.1", "problems[0].imbalance: expected a list of: a number above 0 and up "),
        (
            "imbalance = [0.1, 0.1]\nminority = [1]",
            "problems[0].imbalance: lists a ratio twice",
        ),
        (
            "kind = 'binary'\nminority = [1, 2]",
            "problems[0].minority: a binary problem has one ra",
        ),
    ],
)
def test_messages_about_problems(key, expected):
    assert error_message(HEAD + "[[problems]]\n" + key).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[cv]\nfolds = 1", "cv.folds: expected a whole number from 2 to 1,000 (found 1)"),
        ("[cv]\nvalidation = 1.0", "cv.validation: expected a number above 0 and below 1 (found"),
        ("[cv]\ngrouped = 1", "cv.grouped: expected true or false (found 1)"),
        ("[model]\nname = 1", "model.name: expected text (found 1)"),
        (
            "[model]\nname = 'cnn2'",
            'model.name: "cnn2" is unknown; write "mlp", "tabm", "cnn" or "package.module',
        ),
        ("[model]\nwidth = 1", "model.width: unknown key; known: hidden, dropout, name, ensemble"),
        ("[model]\ndropout = 1", "model.dropout: expected a number from 0 and below 1 (found 1)"),
        ("[model]\nhidden = [4, 0]", "model.hidden[1]: expected a whole number from 1 to 100,000"),
        ("[model]\nensemble = 0", "model.ensemble: expected a whole number from 1 to 100 (found"),
        ("[features]\nbins = 1", "features.bins: expected a whole number from 2 to 256 (found 1)"),
        ("[features]\nkind = 1", "features.kind: unknown key; known: numeric, bins, mix"),
        (
            "[features]\nnumeric = 'onehot'",
            'features.numeric: expected "piecewise-linear" or "quantile" or "standard" (found',
        ),
        ("[model]\nhidden = []", "model.hidden: expected a list with at least one of: a whole nu"),
        (
            "[model]\nname = 'a:b'\nx = 0x1" + "0" * 5000,
            "model.x: cannot be stored in the dat",
        ),
        (
            "[search]\nalgorithm = 'bayes'",
            'search.algorithm: expected "cmaes" or "gp" or "grid" or "nsga2" or "qmc"',
        ),
        ("[search]\nalgorithm = 'tpe'", "search.trials: say how many trials tpe may run"),
        (
            "[search]\ntrials = 3",
            "search.trials: a grid runs every configuration once;",
        ),
        ("[search]\nspace = 3", "search.space: write it as a table, [search.space]"),
        ("[search]\nspaces = 3", 'search.spaces: unknown key; did you mean "space"?'),
    ],
)
def test_messages_about_the_rest(text, expected):
    assert error_message(HEAD + text).startswith(expected)


def test_files_that_cannot_be_read(tmp_path):
    missing, binary = tmp_path / "missing.toml", tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, expected in (
        (missing, "no such file, nor a built-in study"),
        (tmp_path, "is a folder; name the study file in it"),
        (binary, "not a text file in UTF-8"),
        (f"{tmp_path}/\0", "cannot be read"),
    ):
        with pytest.raises(StudyFileError, match=re.escape(f"{path}: {expected}")):
            load_study(path)


def test_a_byte_order_mark_and_windows_lines_are_no_mistake(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TINY.replace("\n", "\r\n").encode())
    assert load_study(path).cv == parse_study(TINY).cv


def test_brackets_without_end_are_refused():
    assert error_message("x = " + "[" * 5000).startswith("not valid TOML")


def test_a_configuration_may_set_what_the_file_may_set():
    training = parse_study(TINY).training
    assert override(training, {"epochs": 9}).epochs == 9
    with pytest.raises(StudyFileError, match=r"search\.space\.epochs: expected a whole number"):
        override(training, {"epochs": 0})


def test_every_study_that_is_shipped_is_in_order():
    assert {"quickstart"} <= set(built_in_studies())
    for path in built_in_studies().values():
        check_study(load_study(path))


def test_a_name_means_a_file_or_a_built_in_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").mkdir()
    assert find_study("quickstart") == built_in_studies()["quickstart"]
    (tmp_path / "mine").write_text(TINY)
    assert load_study(find_study("mine")).name == "tiny"
    with pytest.raises(StudyFileError, match=r'quickstrat: .* did you mean "quickstart"\?'):
        find_study("quickstrat")
    with pytest.raises(StudyFileError, match="is a folder"):
        load_study(find_study(str(tmp_path)))
    with pytest.raises(StudyFileError, match="no study file, nor a built-in study"):
        find_study("x" * 5000)
