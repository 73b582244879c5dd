"""Reference estimators: fitted as scikit-learn alone fits them, on the rows of each fold."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from remix_study.data.arrays import from_arrays
from remix_study.data.folds import make_folds
from remix_study.data.problems import make_problem
from remix_study.errors import StudyFileError
from remix_study.seeds import derive_seed
from remix_study.studyfile.estimators import BUILT_IN, Estimator
from remix_study.training.estimators import check_estimator, fit_estimator
from remix_study.training.members import make_members


@pytest.fixture(scope="module")
def rows():
    """Features with missing values, and class codes of which one in eight is rare."""
    rng = np.random.default_rng(3)
    y = (rng.random(240) < 0.125).astype(int)
    X = rng.normal(size=(240, 4)) + y[:, None]
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


def members_of(X, y):
    problem = make_problem(from_arrays(X, y), kind="binary", minority=["1"])
    folds = make_folds(problem, folds=2, repeats=2, validation=0.3, seed=5)
    return make_members(problem, folds, 5), folds


def fit(name, X, y, positions=(0, 1, 2, 3), **parameters):
    estimator = BUILT_IN.get(name) or Estimator(name, name, parameters)
    members, folds = members_of(X, y)
    return fit_estimator(estimator, members, positions, cores=2), folds


def test_boosting_is_scikit_learns_on_raw_rows_stopped_by_the_validation_part(rows):
    X, y = rows
    outcomes, folds = fit("hist-gradient-boosting-weighted", X, y)
    for fold, outcome in zip(folds, outcomes, strict=True):
        seed = derive_seed(5, "data-1", fold.repeat, fold.fold, "member")
        model = HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=1000,
            early_stopping=True,
            n_iter_no_change=30,
            random_state=derive_seed(seed, "hist-gradient-boosting-weighted") % 2**32,
        )
        weight = dict(enumerate(len(fold.train) / 2 / np.bincount(y[fold.train])))
        model.fit(
            X[fold.train],
            y[fold.train],
            sample_weight=compute_sample_weight("balanced", y[fold.train]),
            X_val=X[fold.validation],
            y_val=y[fold.validation],
            sample_weight_val=np.array([weight[code] for code in y[fold.validation]]),
        )
        assert model.n_iter_ < 1000
        np.testing.assert_allclose(outcome.test, model.predict_proba(X[fold.test]), atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_sees_rows_prepared_by_the_training_part_alone(rows, weighted):
    X, y = rows
    X = np.clip(np.nan_to_num(X), -2, 2)
    outcomes, folds = fit("logistic-regression" + "-weighted" * weighted, X, y)
    for fold, outcome in zip(folds, outcomes, strict=True):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        weights = compute_sample_weight("balanced" if weighted else None, y[fold.train])
        model.fit(X[fold.train], y[fold.train], logisticregression__sample_weight=weights)
        for part in ("validation", "test"):
            expected = model.predict_proba(X[getattr(fold, part)])
            np.testing.assert_allclose(getattr(outcome, part), expected, atol=1e-4)


def test_a_fold_depends_on_no_other_and_on_no_test_row(rows):
    X, y = rows
    (_, beside), folds = fit("random-forest", X, y, positions=(0, 2))
    changed = X.copy()
    changed[folds[2].test] = 99.0
    alone, _ = fit("random-forest", changed, y, positions=[2])
    np.testing.assert_array_equal(alone[0].validation, beside.validation)
    assert not np.array_equal(alone[0].test, beside.test)


def test_what_it_was_fitted_on_is_the_training_parts_own_shares(rows):
    X, y = rows
    outcomes, folds = fit("logistic-regression", X, y)
    shares = np.bincount(y[folds[0].train]) / len(folds[0].train)
    np.testing.assert_allclose(outcomes[0].trained_on.class_shares, shares)
    assert BUILT_IN["logistic-regression"].loss == "cross-entropy"
    assert BUILT_IN["logistic-regression-weighted"].loss == "class-weighted"
    assert BUILT_IN["balanced-random-forest"].loss == "class-weighted"


def test_a_fit_that_raises_fails_its_fold_with_the_reason(rows):
    X, y = rows
    outcomes, _ = fit("sklearn.naive_bayes.MultinomialNB", X, y)
    assert {outcome.stopped for outcome in outcomes} == {"failed"}
    assert "Negative values" in outcomes[0].failed
    assert "\n" not in outcomes[0].failed


def test_probabilities_that_are_none_fail_their_fold(rows, monkeypatch):
    X, y = rows
    monkeypatch.setattr(LogisticRegression, "predict_proba", lambda _, X: np.ones((len(X), 2)))
    outcomes, _ = fit("logistic-regression", X, y)
    assert outcomes[0].failed.endswith("gave rows that are no probabilities that add up to 1")


def test_a_signal_ends_the_fits(rows):
    class Signal(BaseException):
        pass

    def on_fold(_):
        raise Signal

    members, _ = members_of(*rows)
    with pytest.raises(Signal):
        fit_estimator(BUILT_IN["logistic-regression"], members, [0, 1], cores=1, on_fold=on_fold)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Estimator("svc", "sklearn.svm.LinearSVC"), "has no predict_proba"),
        (Estimator("a", "sklearn.ensemble.NoForest"), "cannot be made from"),
        (Estimator("a", "sklearn.dummy.DummyClassifier", {"depth": 3}), "cannot be made from"),
        (Estimator("a", "Forest"), "write class as"),
        (Estimator("remix", "sklearn.dummy.DummyClassifier"), "take another name"),
        (Estimator("a b", "sklearn.dummy.DummyClassifier"), "take another name"),
        (Estimator("a", "no_such_package.Forest"), "No module named"),
        (
            Estimator("k", "sklearn.neighbors.KNeighborsClassifier", weighted=True),
            "takes no sample_weight; set weighted = false",
        ),
        (Estimator("a", "json.Forest", package="no-such"), "cannot be made"),
    ],
)
def test_an_estimator_that_cannot_be_used_is_refused_in_one_line(estimator, message):
    with pytest.raises(StudyFileError, match=message) as refusal:
        check_estimator(estimator, allow_plugins=True)
    assert str(refusal.value).startswith(f'search.estimators: "{estimator.name}"')


def test_code_of_ones_own_needs_permission_and_scikit_learns_does_not():
    with pytest.raises(StudyFileError, match="which --no-plugins forbids"):
        check_estimator(Estimator("mine", "my_models.Forest"), allow_plugins=False)
    check_estimator(
        Estimator("trees", "sklearn.ensemble.ExtraTreesClassifier"), allow_plugins=False
    )


def test_a_module_that_ends_the_process_when_it_is_imported_is_refused(tmp_path, monkeypatch):
    (tmp_path / "ends_the_process.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(StudyFileError, match="cannot be made from"):
        check_estimator(Estimator("mine", "ends_the_process.Forest"), allow_plugins=True)


def test_an_estimator_whose_package_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setattr("remix_study.training.estimators.find_spec", lambda _: None)
    with pytest.raises(StudyFileError, match='pip install "lightgbm"'):
        check_estimator(BUILT_IN["lightgbm-weighted"], allow_plugins=True)
