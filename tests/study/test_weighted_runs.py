"""Studies whose rows or classes have weights: scores, what is stored, and what may change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss, recall_score
from tiny_studies import tiny

import remix_study
from remix_study.cli.main import main
from remix_study.errors import DataError, StudyFileError
from remix_study.results.comparison import comparisons
from remix_study.results.frames import StudyFrames, load_frames
from remix_study.results.probabilities import study_class_weights
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study

STUDY = tiny(('dataset = "wine"', ""), ('["baseline", "remix"]', '["baseline", "cost", "remix"]'))
URL = "sqlite:///x.db"


@pytest.fixture
def folder(request, here) -> Path:
    """Simulated training in an empty folder."""
    request.getfixturevalue("simulated")
    return here


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.repeat(["no", "yes"], [56, 24])
    return rng.normal(size=(80, 3)), y, rng.exponential(size=80)


def frames_of(url: str = URL) -> StudyFrames:
    return load_frames(open_reader(url))


@pytest.mark.usefixtures("folder")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scores_are_scikit_learns_with_the_weights_of_the_rows(data, capsys):
    X, y, weights = data
    remix_study.run(parse_study(STUDY), X, y, sample_weight=weights, storage=URL)
    frames = frames_of()
    stored = frames.scores.set_index(["run", "repeat", "fold", "part", "metric"])["value"]
    for run, fold, part in [
        (r, f, p) for r in frames.runs["run"] for f in (0, 1) for p in ("validation", "test")
    ]:
        rows, codes, p, of_rows = frames.probabilities(run, 0, fold, part)
        np.testing.assert_array_equal(of_rows, weights[rows])
        key = run, 0, fold, part
        recalls = recall_score(codes, p.argmax(axis=1), average=None, sample_weight=of_rows)
        assert stored[*key, "g_mean"] == pytest.approx(np.sqrt(recalls.prod()))
        brier = brier_score_loss(codes, p[:, 1], sample_weight=of_rows)
        assert stored[*key, "brier"] == pytest.approx(brier)
        assert stored[*key, "log_loss"] == pytest.approx(
            log_loss(codes, p[:, 1], sample_weight=of_rows), rel=1e-5
        )
    (task,) = prepare_tasks(parse_study(STUDY), remix_study_data(X, y, weights))
    for _, fold in frames.folds.iterrows():
        train = task.folds[fold["fold"]].train
        share = weights[train][y[train] == "yes"].sum() / weights[train].sum()
        assert fold["natural_prior"][1] == pytest.approx(share)
    assert main(["export", "--storage", URL, "--format", "csv", "--output", "out"]) == 0
    capsys.readouterr()
    exported = pd.read_csv("out/probabilities.csv")
    np.testing.assert_allclose(exported["weight"], weights[exported["row"]])
    # The weights go with a study into another database.
    assert main(["import", URL, "--storage", "sqlite:///y.db"]) == 0
    copied = frames_of("sqlite:///y.db")
    np.testing.assert_array_equal(
        copied.probabilities(1, 0, 0, "test")[3], weights[frames.probabilities(1, 0, 0, "test")[0]]
    )


def remix_study_data(X, y, weights):
    from remix_study.data.arrays import from_arrays

    return from_arrays(X, y, sample_weight=weights)


@pytest.mark.usefixtures("folder")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_equal_weights_are_none_and_other_weights_are_another_study(data):
    X, y, weights = data
    remix_study.run(parse_study(STUDY), X, y, storage=URL)
    remix_study.run(
        parse_study(STUDY), X, y, sample_weight=np.full(80, 3), storage="sqlite:///equal.db"
    )
    plain, equal = frames_of(), frames_of("sqlite:///equal.db")
    pd.testing.assert_frame_equal(plain.scores, equal.scores)
    pd.testing.assert_frame_equal(plain.folds, equal.folds)
    assert equal.probabilities(1, 0, 0, "test")[3] is None
    with pytest.raises(StudyFileError, match=r"problem\.sha256"):
        remix_study.run(parse_study(STUDY), X, y, sample_weight=weights, storage=URL)


def test_a_column_of_weights_is_part_of_what_a_study_is(folder, data):
    X, y, weights = data
    pd.DataFrame(X, columns=["a", "b", "c"]).assign(w=weights, target=y).to_csv(
        "mine.csv", index=False
    )
    keys = 'file = "mine.csv"\nlabel = "target"\n'
    text = STUDY.replace("[[problems]]", f"[[problems]]\n{keys}")
    weighted = text.replace("label", 'weights = "w"\nlabel')
    (plain,) = prepare_tasks(parse_study(text, str(folder / "s.toml")))
    (task,) = prepare_tasks(parse_study(weighted, str(folder / "s.toml")))
    assert (plain.problem.dataset.n_features, task.problem.dataset.n_features) == (4, 3)
    np.testing.assert_allclose(task.problem.weights, weights)
    assert any("worth" in note for note in task.problem.notes)
    remix_study.run(parse_study(text, str(folder / "s.toml")), storage=URL)
    with pytest.raises(StudyFileError, match=r"problem\.weights: absent -> w"):
        remix_study.run(parse_study(weighted, str(folder / "s.toml")), storage=URL)


def with_class_weights(weights: str) -> str:
    return STUDY.replace("[[problems]]", f"[[problems]]\nclass_weights = {weights}")


@pytest.mark.usefixtures("folder")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_class_weights_are_those_of_classes_that_there_are(data):
    X, y, weights = data
    data_set = remix_study_data(X, y, weights)
    (task,) = prepare_tasks(parse_study(with_class_weights("{ yes = 20 }")), data_set)
    assert task.problem.class_weights.tolist() == [1, 20]
    assert any("take those of the study file: no 1, yes 20" in n for n in task.problem.notes)
    with pytest.raises(DataError, match='class_weights: no class "yse"; did you mean "yes"'):
        prepare_tasks(parse_study(with_class_weights("{ yse = 20 }")), data_set)
    for wrong in ("{ yes = 0 }", "{ yes = -1 }", '{ yes = "many" }', "{ yes = inf }"):
        with pytest.raises(StudyFileError, match=r"class_weights\.yes: expected a number above 0"):
            parse_study(with_class_weights(wrong))
    unused = with_class_weights("{ yes = 20 }").replace('"cost", ', "")
    with pytest.raises(StudyFileError, match=r"problems\[0\]\.class_weights: nothing here uses"):
        remix_study.run(parse_study(unused), X, y, storage=URL)
    remix_study.run(parse_study(with_class_weights("{ yes = 20 }")), X, y, storage=URL)
    (comparison,) = comparisons(frames_of())
    assert study_class_weights(comparison.info) == [1, 20]
    with pytest.raises(StudyFileError, match=r"problem\.class_weights\.yes: 20\.0 -> absent"):
        remix_study.run(parse_study(STUDY), X, y, storage=URL)
