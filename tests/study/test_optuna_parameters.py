"""Points in Optuna's hands: asked conditionally, and the same after a trip to the database."""

from __future__ import annotations

import optuna
import pytest

from remix_study.study.algorithms import PlannedSampler, make_sampler
from remix_study.study.checks import check_study
from remix_study.study.configurations import configuration_of, grid_configurations
from remix_study.study.optuna_parameters import all_choices, distributions, suggest
from remix_study.study.tables import configuration_key
from remix_study.studyfile.parsing import parse_study

HEAD = '[study]\nname = "a"\n'
SEARCH = '[search]\nalgorithm = "random"\ntrials = 3\n'


def study_of(text, search=False):
    study = parse_study(f"{HEAD}{SEARCH * search}[search.space]\n{text}")
    check_study(study)
    return study


def suggested(text, count=60):
    """Points that Optuna's random sampler makes of a space."""
    study = study_of(text, search=True)
    asked = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    found = []
    for _ in range(count):
        trial = asked.ask()
        point = suggest(trial, study.search.space)
        assert point == trial.params
        configuration_of(point, study.training, study.model)
        found.append(point)
    return found


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_alpha_is_asked_where_something_is_mixed_and_nowhere_else():
    found = suggested(
        'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
        "alpha = {low = 0.01, high = 1, log = true}"
    )
    for point in found:
        assert ("mixing" in point) == (point["sampler"] != "smote")
        assert ("alpha" in point) == (point.get("mixing") == "beta")
    # Each case was drawn: the claims above are about something.
    kinds = {(point["sampler"], point.get("mixing")) for point in found}
    assert len(kinds) == 5


def test_alpha_belongs_to_named_strategies_that_mix():
    found = suggested('strategy = ["cost", "remix", "mixup"]\nalpha.remix = [0.1, 0.2]')
    for point in found:
        assert ("alpha" in point) == (point["strategy"] == "remix")
    assert {point["strategy"] for point in found} == {"cost", "remix", "mixup"}


def test_settings_keep_their_types():
    found = suggested(
        "batch_size = {low = 8, high = 64, log = true}\nlearning_rate = {low = 1, high = 2}\n"
        'model.hidden = [[8], [8, 4]]\nschedule = ["constant", "plateau"]'
    )
    for point in found:
        assert type(point["batch_size"]) is int
        assert type(point["learning_rate"]) is float
        assert point["model.hidden"] in ("[8]", "[8, 4]")
        assert point["schedule"] in ("constant", "plateau")


GRIDS = {
    "strategies": "alpha.remix = [0, 0.1, 0.30000000000000004, 1e-9, 100]",
    "parts": 'sampler = ["natural", "smote"]\nmixing = ["none", "beta"]\nalpha = [0.7]',
    "settings": (
        'strategy = ["remix"]\nlearning_rate = [0.1, 1, 3.3333333333333335e-5]\n'
        "batch_size = [16, 32]\nmodel.hidden = [[8], [8, 4]]\nmodel.dropout = [0.1]\n"
        'schedule = ["constant"]'
    ),
}


@pytest.mark.parametrize("text", GRIDS.values(), ids=GRIDS)
def test_a_point_is_the_same_after_a_trip_through_sqlite(text, storage):
    space = study_of(text).search.space
    study = optuna.create_study(storage=storage, study_name="trip")
    planned = grid_configurations(space)
    for point in planned:
        study.sampler = PlannedSampler(point)
        study.tell(study.ask(distributions(point, space, all_choices())), 0.0)
    again = optuna.load_study(storage="sqlite:///x.db", study_name="trip")
    assert [configuration_key(t.params) for t in again.trials] == [
        configuration_key(p) for p in planned
    ]


def test_numbers_may_be_added_to_a_grid_that_has_begun():
    study = optuna.create_study()
    for values in ("[0.1, 0.2]", "[0.1, 0.2, 5]"):
        space = study_of(f'strategy = ["cost"]\nlearning_rate = {values}').search.space
        for point in grid_configurations(space):
            study.sampler = PlannedSampler(point)
            study.ask(distributions(point, space, all_choices()))
    assert [trial.params["learning_rate"] for trial in study.trials] == [0.1, 0.2, 0.1, 0.2, 5.0]


def test_an_algorithm_draws_by_seed_study_and_slot():
    def drawn(*place):
        study = optuna.create_study(sampler=make_sampler("random", *place))
        return suggest(
            study.ask(), study_of("learning_rate = {low = 1, high = 2}", True).search.space
        )

    assert drawn(1, "a/wine", 0) == drawn(1, "a/wine", 0)
    others = [drawn(2, "a/wine", 0), drawn(1, "b/wine", 0), drawn(1, "a/wine", 1)]
    rates = {point["learning_rate"] for point in [drawn(1, "a/wine", 0), *others]}
    assert len(rates) == 4
