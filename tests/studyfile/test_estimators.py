"""``search.estimators`` and ``[estimators.NAME]``."""

import pytest

from remix_study.errors import StudyFileError
from remix_study.studyfile.estimators import BUILT_IN, Estimator
from remix_study.studyfile.parsing import parse_study

STUDY = """
[study]
name = "s"
[[problems]]
dataset = "wine"
[search]
estimators = {names}
{more}
"""


def parse(names, more=""):
    return parse_study(STUDY.format(names=names, more=more)).estimators


def test_built_in_ones_tables_and_dotted_names():
    trees = 'class = "sklearn.ensemble.ExtraTreesClassifier"\nparameters = { n_estimators = 9 }'
    names = '["random-forest-weighted", "trees", "sklearn.naive_bayes.GaussianNB"]'
    assert parse(names, f"[estimators.trees]\n{trees}\nweighted = true") == (
        BUILT_IN["random-forest-weighted"],
        Estimator("trees", "sklearn.ensemble.ExtraTreesClassifier", {"n_estimators": 9}, True),
        Estimator("sklearn.naive_bayes.GaussianNB", "sklearn.naive_bayes.GaussianNB"),
    )
    assert parse("[]") == ()


def test_each_weighted_form_differs_in_its_weights_alone():
    for name, estimator in BUILT_IN.items():
        if estimator.weighted:
            plain = BUILT_IN[name.removesuffix("-weighted")]
            assert (estimator.path, estimator.parameters) == (plain.path, plain.parameters)
            assert not plain.weighted


@pytest.mark.parametrize(
    ("names", "more", "message"),
    [
        ('["random-forrest"]', "", 'no estimator "random-forrest"; did you mean "random-forest"?'),
        ('["random-forest", "random-forest"]', "", "lists an estimator twice"),
        (
            "[]",
            '[estimators.x]\nclass = "a.B"',
            "estimators.x: search.estimators does not name it",
        ),
        ('["x"]', "[estimators.x]\nweighted = true", "estimators.x.class: missing"),
        ('["x"]', '[estimators.x]\nclass = "a.B"\nwieghted = true', 'did you mean "weighted"?'),
        ('["x"]', '[estimators]\nx = "a.B"', "estimators.x: write it as a table"),
        ('["lightgbm"]', '[estimators.lightgbm]\nclass = "a.B"', "this name is built in"),
        ('"lightgbm"', "", "search.estimators: expected a list"),
    ],
)
def test_mistakes_are_named_by_their_key(names, more, message):
    with pytest.raises(StudyFileError) as refusal:
        parse(names, more)
    assert message in str(refusal.value)
