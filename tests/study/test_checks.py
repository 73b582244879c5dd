"""Checks of searches: what an algorithm cannot do is refused in one line."""

from __future__ import annotations

import pytest
from tiny_studies import tiny

from remix_study.errors import StudyFileError
from remix_study.study import checks
from remix_study.study.checks import check_study
from remix_study.studyfile.parsing import parse_study

MIXED = (
    'strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]',
    'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
    "alpha = {low = 0.01, high = 1, log = true}\nlearning_rate = {low = 1e-4, high = 0.1}",
)
NUMBERS = (
    MIXED[0],
    'sampler = ["balanced"]\nmixing = ["beta"]\nalpha = {low = 0.05, high = 1.0}\n'
    "learning_rate = {low = 1e-4, high = 0.1}",
)
ONE = ('objectives = ["g_mean", "bbs"]', 'objectives = ["balanced_accuracy"]')


def text_of(algorithm: str, *changes, trials: int = 20, more: str = "", space=MIXED) -> str:
    head = f'[search]\nalgorithm = "{algorithm}"\ntrials = {trials}\n{more}\n[search.space]'
    return tiny(space, ("[search.space]", head), *changes)


CHECKS = {
    "bins of nothing": (
        tiny(("[training]", "[features]\nbins = 8\n[training]")),
        "features.bins: has no effect on standardised columns; set features.numeric, or leave",
    ),
    "mixing before nothing": (
        tiny(("alpha.remix", "features.mix = ['raw']\nalpha.remix")),
        "search.space.features.mix: has no effect on standardised columns; set features.numeric",
    ),
    "cmaes, several": (
        text_of("cmaes"),
        'search.algorithm: "cmaes" takes one objective only; use "tpe"',
    ),
    "cmaes, names": (
        text_of("cmaes", ONE),
        'search.space.sampler: "cmaes" chooses numbers only; give one value or a range {',
    ),
    "cmaes, strategies": (
        text_of("cmaes", ONE, space=(MIXED[0], 'strategy = ["cost", "remix"]')),
        'search.space.strategy: "cmaes" chooses numbers only; name one, or use "tpe"',
    ),
    "cmaes, one range": (
        text_of(
            "cmaes", ONE, space=(MIXED[0], "sampler = ['smote']\nepochs = {low = 2, high = 9}")
        ),
        'search.space: "cmaes" needs two ranges or more; use "tpe"',
    ),
    "cmaes, constraints": (
        text_of("cmaes", ONE, space=NUMBERS, more='constraints = ["bbs <= 1"]'),
        'search.constraints: "cmaes" ignores them; use "tpe"',
    ),
    "alphas": (
        text_of(
            "gp",
            space=(
                MIXED[0],
                "strategy = ['mixup', 'remix']\nalpha.remix = {low = 0.1, high = 1}\n"
                "alpha.mixup = {low = 0.1, high = 2}",
            ),
        ),
        'search.space.alpha: "gp" needs the same alpha for every strategy, or use "tpe"',
    ),
    "prune, several": (text_of("tpe", more="prune = true"), "search.prune: needs one objective"),
    "prune, few": (
        text_of("tpe", ONE, more="prune = true"),
        "search.prune: needs cv.repeats of 2 or more and 10 folds in all, to stop between two "
        "blocks (found 2)",
    ),
    "constraint": (
        text_of("tpe", more='constraints = ["bbs < 1"]'),
        'search.constraints: cannot read "bbs < 1"; write for example "min_recall >= 0.5"',
    ),
    "metric": (
        text_of("tpe", more='constraints = ["briar <= 1"]'),
        'search.constraints: no metric "briar"; did you mean "brier"?',
    ),
    "twice": (
        text_of("tpe", more='constraints = ["bbs <= 1", "bbs  <= 1"]'),
        "search.constraints: one is there twice; leave one out",
    ),
    "outer": (text_of("tpe", more="outer = 1"), "search.outer: expected a whole number from 2"),
    "grid": (
        tiny(("[search.space]", "[search]\nouter = 5\n[search.space]")),
        "search.outer: needs a search algorithm",
    ),
}


@pytest.mark.parametrize(("text", "expected"), CHECKS.values(), ids=CHECKS)
def test_what_a_search_cannot_do_is_refused_in_one_line(text, expected):
    with pytest.raises(StudyFileError) as caught:
        check_study(parse_study(text, "tiny.toml"))
    assert str(caught.value).startswith(f"tiny.toml: {expected}")


@pytest.mark.parametrize(("algorithm", "package"), [("gp", "torch"), ("cmaes", "cmaes")])
def test_a_package_that_is_missing_is_named_with_its_extra(algorithm, package, monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    with pytest.raises(StudyFileError) as caught:
        check_study(parse_study(text_of(algorithm, ONE, space=NUMBERS), "tiny.toml"))
    assert str(caught.value) == (
        f'tiny.toml: search.algorithm: "{algorithm}" needs {package}, which is not installed; '
        f'pip install "remix-study[{algorithm}]"'
    )
