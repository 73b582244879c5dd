"""The classifier keeps scikit-learn's rules and predicts what the engine trained."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from trained_models import STUDY

from remix_study.data.arrays import from_arrays
from remix_study.deploy.classifier import ReMixClassifier
from remix_study.deploy.refit import train
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study
from remix_study.training.engine import Engine

# All fits share four compiled programs, by classes and by whether rows have weights.
SMALL = {
    "hidden": 16,
    "epochs": 20,
    "batch_size": 4,
    "learning_rate": 0.01,
    "start_from_step": 20,
    "random_state": 0,
}
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "the validation part and the mini-batches of "
    "rows that are repeated are others than those of rows that have weights"
}
QUICK_CHECKS = (
    "class_weight_classifiers",
    "classifiers_classes",
    "classifiers_one_label",
    "classifiers_train",
    "dict_unchanged",
    "dont_overwrite_parameters",
    "estimators_empty_data_messages",
    "estimators_pickle",
    "estimators_unfitted",
    "fit2d_1feature",
    "fit2d_1sample",
    "fit_idempotent",
    "fit_score_takes_y",
    "methods_sample_order_invariance",
    "methods_subset_invariance",
    "n_features_in_after_fitting",
    "no_attributes_set_in_init",
    "pipeline_consistency",
    "readonly_memmap_input",
    "requires_y_none",
    "sample_weights_not_an_array",
    "supervised_y_2d",
)

rng = np.random.default_rng(0)
N = 90
CODES = rng.choice(2, N, p=[0.7, 0.3])
X = rng.normal(size=(N, 3)) + 1.5 * CODES[:, None]
Y = np.array(["no", "yes"])[CODES]


def small(**parameters):
    return ReMixClassifier(**SMALL | parameters)


@pytest.mark.slow
@parametrize_with_checks([small()], expected_failed_checks=lambda _: EXPECTED_FAILURES)
def test_the_rules_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", QUICK_CHECKS)
def test_rules_of_scikit_learn_that_need_few_programs(name):
    getattr(estimator_checks, f"check_{name}")("ReMixClassifier", small())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_own_network_fails_the_same_check():
    with pytest.raises(AssertionError):
        estimator_checks.check_sample_weight_equivalence_on_dense_data(
            "MLPClassifier", MLPClassifier(early_stopping=True)
        )


@pytest.fixture
def fitted(monkeypatch):
    """Fits a classifier; returns it with its engine, members and outcome."""

    def fit(*data, **parameters):
        calls = []
        fit_engine = Engine.fit

        def record(engine, members, *arguments, **options):
            outcomes = fit_engine(engine, members, *arguments, **options)
            calls.append((engine, members, outcomes[0], arguments, options))
            return outcomes

        monkeypatch.setattr(Engine, "fit", record)
        model = small(**parameters).fit(*data)
        monkeypatch.undo()
        return model, *calls[0]

    return fit


@pytest.mark.parametrize("parameters", [{}, {"encoder": "piecewise-linear", "ensemble": 3}])
def test_predictions_are_those_of_the_compiled_engine(fitted, parameters):
    rows = np.where(rng.random(X.shape) < 0.1, np.nan, X)
    model, _, members, outcome, *_ = fitted(rows, Y, **parameters)
    predicted = model.predict_proba(rows[members[0].validation])
    np.testing.assert_allclose(predicted, outcome.validation, atol=2e-6)
    assert model.n_iter_ == len(model.loss_curve_) == len(model.validation_loss_curve_)


def test_room_for_more_rows_changes_no_number(fitted):
    _, engine, members, outcome, arguments, options = fitted(X, Y)
    rows = len(Y)
    exact = Engine(
        engine.network,
        np.asarray(engine.data.X)[:rows],
        engine.y[:rows],
        engine.n_classes,
        engine.fill,
        engine.centre,
        engine.scale,
        jit=False,
    )
    (without_room,) = exact.fit(members, *arguments, **options)
    np.testing.assert_allclose(without_room.validation, outcome.validation, atol=1e-5)


@pytest.mark.parametrize("columns", [3, 40])
def test_it_is_the_network_that_fit_trains(columns):
    # The rare class is the first one by name, and the last one of a study.
    rows, y = rng.normal(size=(N, columns)) + CODES[:, None], np.array(["b", "a"])[CODES]
    keys = "epochs = 6\nbatch_size = 16\nstart_from_step = 4"
    text = STUDY.format(model="hidden = [16]", features="", training="")
    lines = ("epochs = 3", "batch_size = 16", "start_from_epoch = 1")
    study = parse_study(text.replace("\n".join(lines), keys))
    (task,) = prepare_tasks(study, from_arrays(rows, y, name="data"))
    refit = train(task, task.configuration({"strategy": "baseline"}))
    model = small(
        strategy="baseline", epochs=6, batch_size=16, start_from_step=4, random_state=study.seed,
        learning_rate=0.001,
    ).fit(rows, y)  # fmt: skip
    kernel, bias, last_kernel, last_bias = refit.task.engines[-1].member_weights(0)
    coefs, intercepts = model.coefs_[0], model.intercepts_[0]
    for ours, theirs in (
        (coefs[0], kernel),
        (intercepts[0], bias[0]),
        (coefs[1][:, ::-1], last_kernel),
        (intercepts[1][::-1], last_bias[0]),
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert model.n_iter_ == refit.epochs
    p = model.predict_proba(rows)[:, ::-1]
    np.testing.assert_allclose(p, refit.probabilities, rtol=0, atol=1e-6)


def test_tables_of_similar_size_compile_once(fitted):
    program = fitted(X, Y)[1].program
    before = dict(program.traces)
    for rows in (60, 71, 90):
        assert fitted(X[:rows], Y[:rows])[1].program is program
    assert program.traces == before


def test_searches_calibration_and_thresholds_of_scikit_learn():
    frame = pd.DataFrame(X, columns=["age", "income", "size"])
    pipeline = make_pipeline(MinMaxScaler().set_output(transform="pandas"), small(epochs=6))
    grid = {
        "remixclassifier__alpha": np.array([0.0, 0.3]),
        "remixclassifier__patience": np.array([5]),
    }
    search = GridSearchCV(pipeline, grid, cv=2, scoring="roc_auc", error_score="raise")
    search.fit(frame, Y)
    assert search.best_score_ > 0.9
    assert list(search.best_estimator_[-1].feature_names_in_) == list(frame)
    assert cross_val_score(small(), X, CODES, cv=2).min() > 0.7
    calibrated = CalibratedClassifierCV(small(), cv=2).fit(X, Y)
    assert calibrated.predict_proba(X).mean(axis=0)[1] == pytest.approx(CODES.mean(), abs=0.05)
    tuned = TunedThresholdClassifierCV(small(), cv=2, scoring="balanced_accuracy").fit(X, Y)
    assert set(tuned.predict(X)) == {"no", "yes"}


def test_a_copy_and_a_pickle_predict_the_same():
    model = small().fit(X, Y)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)


@pytest.mark.slow
def test_a_pickle_predicts_without_keras(tmp_path):
    (tmp_path / "model").write_bytes(pickle.dumps(small().fit(X, Y)))
    code = (
        "import pickle, sys\n"
        f"model = pickle.load(open({str(tmp_path / 'model')!r}, 'rb'))\n"
        f"assert model.predict({X[:5].tolist()}).shape == (5,)\n"
        "assert 'keras' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rows_of_weight_zero_count_as_left_out():
    weights = rng.integers(0, 3, N)
    counts = weights > 0
    weighted = small().fit(X, Y, weights)
    shorter = small().fit(X[counts], Y[counts], weights[counts])
    np.testing.assert_array_equal(weighted.predict_proba(X), shorter.predict_proba(X))


def test_class_weights_are_named_by_class():
    plain = small(strategy="baseline").fit(X, Y)
    heavy = small(strategy="baseline", class_weight={"yes": 50.0}).fit(X, Y)
    assert (heavy.predict(X) == "yes").mean() > (plain.predict(X) == "yes").mean()
    balanced, cost = small(strategy="baseline", class_weight="balanced"), small(strategy="cost")
    np.testing.assert_array_equal(
        balanced.fit(X, Y).predict_proba(X), cost.fit(X, Y).predict_proba(X)
    )


def test_all_rows_train_without_a_validation_part(fitted):
    model, _, members, *_ = fitted(X, Y, validation_fraction=None)
    assert len(members[0].training.rows) == N
    assert model.n_iter_ == SMALL["epochs"]
    assert len(model.validation_loss_curve_) == 0


FRAME = pd.DataFrame({"age": X[:, 0], "town": Y})


@pytest.mark.parametrize(
    ("parameters", "data", "words"),
    [
        ({"strategy": "remixx"}, (X, Y), 'unknown strategy "remixx"; did you mean "remix"'),
        ({"strategy": "augment"}, (X, Y), "augments images"),
        ({"sampler": "smoat"}, (X, Y), "unknown sampler"),
        ({"sampler": "smote"}, (X, Y), "cannot be mixed"),
        ({"strategy": "cost", "alpha": 0.3}, (X, Y), "alpha 0.3 has no effect"),
        ({"strategy": "focal", "class_weight": "balanced"}, (X, Y), "class_weight: .*focal"),
        ({"class_weight": "natural"}, (X, Y), "class_weight must be"),
        ({"class_weight": {"maybe": 2.0}}, (X, Y), "not in class_weight"),
        ({"class_weight": {"yes": 0.0}}, (X, Y), "class_weight holds"),
        ({"hidden": []}, (X, Y), "^hidden: expected a list with at least one"),
        ({"encoder": "log"}, (X, Y), "^encoder: expected"),
        ({"bins": 1}, (X, Y), "^bins: expected"),
        ({"ensemble": 0}, (X, Y), "^ensemble: expected"),
        ({"epochs": 0}, (X, Y), "^epochs: expected"),
        ({"start_from_step": -1}, (X, Y), "^start_from_step: expected"),
        ({"validation_fraction": 1.5}, (X, Y), "validation_fraction must be"),
        ({}, (X, Y, -np.ones(N)), "sample_weight must not be negative"),
        ({}, (X, Y, np.ones(3)), r"sample_weight has shape \(3,\)"),
        ({}, (X[:3], ["a", "a", "b"]), 'class "b" has one row.*validation_fraction=None'),
        ({}, (np.where(X > 2, 1e200, X), Y), "beyond 1e\\+30"),
        ({}, (FRAME, Y), 'column "town" holds text: encode it first'),
    ],
)
def test_mistakes_are_one_line_that_names_the_parameter(parameters, data, words):
    with pytest.raises(ValueError, match=words) as error:
        small(**parameters).fit(*data)
    assert "\n" not in str(error.value)
