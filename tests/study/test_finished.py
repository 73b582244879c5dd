"""A study that really ran: what is in its database, for Optuna, the dashboard and reports."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import zlib

import numpy as np
import pandas as pd
import pytest
from tiny_studies import TINY, assert_clean, complete_values, query, tiny

from remix_study.cli.main import main
from remix_study.data.named_datasets import load_dataset
from remix_study.errors import StorageError, UsageError
from remix_study.metrics import score
from remix_study.results.frames import load_frames
from remix_study.study.storage import open_reader
from remix_study.study.study_progress import read_progress


@pytest.fixture
def frames(finished):
    return load_frames(open_reader(f"sqlite:///{finished}"))


def test_trial_values_are_means_of_the_validation_scores_that_were_kept(finished):
    rows = query(
        finished,
        "SELECT v.value, avg(s.value), count(*) FROM trial_values v JOIN trial_user_attributes a "
        "ON a.trial_id = v.trial_id AND a.key = 'remix_run' JOIN remix_runs r "
        "ON r.uuid = trim(a.value_json, '\"') JOIN remix_scores s ON s.run_id = r.id "
        "AND s.part = 'validation' AND s.metric = CASE v.objective WHEN 0 THEN 'g_mean' "
        "ELSE 'bbs' END GROUP BY v.trial_id, v.objective",
    )
    assert len(rows) == 3 * 2
    for value, mean, folds in rows:
        assert folds == 2
        assert value == pytest.approx(mean, rel=1e-15)
    assert_clean(finished)


@pytest.mark.usefixtures("finished")
def test_scores_are_those_of_the_probabilities_that_were_kept(frames):
    wine = load_dataset("wine")
    scores = frames.scores.set_index(["run", "repeat", "fold", "part", "metric"]).value
    for run in frames.runs.run:
        for fold in (0, 1):
            for part in ("validation", "test"):
                rows, labels, probabilities = frames.probabilities(run, 0, fold, part)
                np.testing.assert_array_equal(labels, wine.y[rows])
                expected = score(labels, probabilities, 3)
                for metric, value in expected.items():
                    assert scores[run, 0, fold, part, metric] == pytest.approx(value, rel=1e-6)


def test_folds_are_told_with_their_rows_and_epochs(frames):
    folds = frames.folds
    assert len(folds) == 3 * 2
    assert set(folds.epochs) == {2}
    assert set(folds.stopped) == {"epochs"}
    assert set(folds.failed) == {""}
    assert ((folds.n_train + folds.n_validation + folds.n_test) == 178).all()
    assert (folds.minority_train < folds.n_train).all()
    natural = np.array(folds.natural_prior.tolist())
    np.testing.assert_allclose(natural.sum(axis=1), 1)
    effective = np.array(folds.effective_prior.tolist())
    labels = folds.run.map(frames.runs.set_index("run").row)
    np.testing.assert_allclose(effective[labels == "balance"], 1 / 3, atol=0.03)


def test_learning_curves_are_kept(finished):
    for (blob,) in query(finished, "SELECT curves FROM remix_folds"):
        loss, monitor, rates = np.frombuffer(zlib.decompress(blob), np.float32).reshape(3, -1)
        assert len(loss) == 2
        assert (loss > 0).all()
        assert np.isnan(monitor).all(), "nothing watched the validation loss"
        np.testing.assert_allclose(rates, 1e-3)


def test_frames_describe_problem_and_runs(frames):
    (problem,) = frames.problems.to_dict("records")
    assert problem["study"] == "tiny"
    assert problem["problem"] == problem["dataset"] == "wine"
    assert problem["counts"] == {"class_0": 59, "class_1": 71, "class_2": 48}
    assert problem["minority"] == ("class_2",)
    assert math.isnan(problem["imbalance"])
    assert (problem["planned"], problem["complete"], problem["failed"]) == (3, 3, 0)
    assert (problem["folds"], problem["repeats"], problem["algorithm"]) == (2, 1, "grid")
    runs = frames.runs
    assert runs.row.tolist() == ["baseline", "balance", "remix (0.1)"]
    assert runs.strategy.tolist() == ["baseline", "balance", "remix"]
    assert runs.alpha.fillna(-1).tolist() == [-1, -1, 0.1]
    assert runs.loss.unique().tolist() == ["cross-entropy"]
    assert runs.parameters.tolist()[2] == {"strategy": "remix", "alpha": 0.1}
    assert [len(values) for values in runs["values"]] == [2, 2, 2]
    assert isinstance(frames.problems, pd.DataFrame)
    (manifest,) = frames.manifests
    assert manifest["file"]["sha256"] == hashlib.sha256(TINY.encode()).hexdigest()
    assert manifest["data"]["sha256"] == load_dataset("wine").sha256


def test_frames_hold_what_is_asked_for(finished):
    engine = open_reader(f"sqlite:///{finished}")
    assert load_frames(engine, ["tiny"]).runs.shape == load_frames(engine).runs.shape
    with pytest.raises(UsageError, match=r'no study "tini"; did you mean "tiny"\?'):
        load_frames(engine, ["tini"])


@pytest.mark.usefixtures("storage")
def test_an_empty_database_has_no_frames():
    with pytest.raises(StorageError, match="holds no study yet"):
        load_frames(open_reader("sqlite:///x.db"))
    assert read_progress(open_reader("sqlite:///x.db")) == []


def test_the_same_file_gives_the_same_numbers_to_the_last_bit(finished, here):
    (here / "tiny.toml").write_text(TINY)
    assert main(["run", "tiny.toml", "--storage", "sqlite:///again.db"]) == 0
    assert complete_values(here / "again.db") == complete_values(finished)
    for table in ("scores", "probabilities"):
        rows = f"SELECT * FROM remix_{table} ORDER BY 1, 2, 3, 4, 5"
        assert query(here / "again.db", rows) == query(finished, rows)


def ask(app, path: str) -> dict:
    """A GET request to a WSGI application."""
    answer = {}

    def start_response(status, _headers, _exc_info=None):
        answer["status"] = status

    url, _, parameters = path.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": url,
        "QUERY_STRING": parameters,
        "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    body = b"".join(app(environ, start_response))
    assert answer["status"].startswith("200"), (answer, body[:300])
    return json.loads(body)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.usefixtures("here")
def test_the_dashboard_shows_studies_metrics_trials_and_short_attributes(finished):
    from optuna.storages import RDBStorage
    from optuna_dashboard import wsgi

    shutil.copy(finished, "shown.db")
    storage = RDBStorage("sqlite:///shown.db")
    app = wsgi(storage)
    # A run in another process has the database open for writing all the while.
    from remix_study.study.storage import open_storage

    with open_storage("sqlite:///shown.db").engine.begin() as writing:
        writing.exec_driver_sql("UPDATE remix_runs SET seconds = seconds")
        (summary,) = ask(app, "/api/studies")["study_summaries"]
        assert summary["study_name"] == "tiny/wine"
        assert summary["directions"] == ["maximize", "minimize"]
        detail = ask(app, f"/api/studies/{summary['study_id']}?after=0")
    assert detail["objective_names"] == ["g-mean", "BBS"]
    assert [trial["state"] for trial in detail["trials"]] == ["Complete"] * 3
    attributes = [a for trial in detail["trials"] for a in trial["user_attrs"]]
    attributes += detail["user_attrs"]
    assert {"row", "validation g-mean", "epochs", "seconds"} <= {a["key"] for a in attributes}
    assert all(len(a["value"]) < 200 for a in attributes)
    rows = [a["value"] for a in attributes if a["key"] == "row"]
    assert rows == ["baseline", "balance", "remix (0.1)"]
    storage.remove_session()
    storage.engine.dispose()


MODELS = """
import keras

def small(input_shape, n_classes, width=4):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Dense(width, activation="tanh"),
        keras.layers.Dense(n_classes, activation="softmax"),
    ])

def exploding(input_shape, n_classes):
    # Finite at first; a step at a rate of 10 is one into infinity.
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Dense(8, activation=lambda x: keras.ops.exp(keras.ops.abs(x))),
        keras.layers.Dense(n_classes),
    ])

def no_model(input_shape, n_classes):
    return "a network"

def too_wide(input_shape, n_classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_classes + 1)])

not_a_function = 3
"""


@pytest.fixture
def own(here):
    """A study of one's own networks, and a function that says which."""
    (here / "own_networks.py").write_text(MODELS)

    def write(model: str) -> str:
        text = tiny(('["baseline", "remix"]\nalpha.remix = [0.0, 0.1]', '["balance"]'))
        (here / "own.toml").write_text(text.replace("hidden = [4]", model))
        return "own.toml"

    return write


@pytest.mark.usefixtures("capfd")
def test_a_network_of_ones_own_from_beside_the_study_file(own, here):
    path = own('name = "own_networks:small"\nwidth = 3')
    assert main(["run", path]) == 0
    ((parameters,),) = query(here / "remix-study.db", "SELECT network_parameters FROM remix_runs")
    assert parameters == 13 * 3 + 3 + 3 * 3 + 3
    assert_clean(here / "remix-study.db")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ('name = "own_networks:missing"', "cannot be imported"),
        ('name = "own_networks:not_a_function"', "is not a function"),
        ('name = "own_networks:no_model"', "returned str, not a Keras model"),
        ('name = "own_networks:too_wide"', "one column for each class"),
        ('name = "own_networks:small"\ndepth = 3', "cannot be built: "),
    ],
)
def test_networks_that_cannot_be_used_are_one_line(own, model, expected, here, capfd):
    assert main(["run", own(model)]) == 2
    errors = capfd.readouterr().err
    assert errors.count("\n") == 1
    assert expected in errors
    assert query(here / "remix-study.db", "SELECT * FROM trials") == []


def test_a_network_that_diverges_fails_its_point(own, here, capfd):
    path = own('name = "own_networks:exploding"')
    text = (here / path).read_text().replace("epochs = 2", "epochs = 2\nlearning_rate = 10")
    (here / path).write_text(text)
    for failures in (1, 2):
        assert main(["run", path]) == 1
        out = capfd.readouterr().out
        assert "failed balance: " in out
        assert "folds diverged: " in out
        states = query(here / "remix-study.db", "SELECT state FROM trials")
        assert states == [("FAIL",)] * failures
    assert_clean(here / "remix-study.db")

    text = text.replace('"tiny"', '"worst"').replace("epochs = 2", 'epochs = 2\non_nan = "worst"')
    (here / path).write_text(text)
    assert main(["run", path]) == 0
    values = query(
        here / "remix-study.db",
        "SELECT value FROM trial_values JOIN trials USING (trial_id) "
        "JOIN studies USING (study_id) WHERE study_name = 'worst/wine' ORDER BY objective",
    )
    assert values == [(0.0,), (1.0,)]
