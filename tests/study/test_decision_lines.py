"""Keys of a report that may change after training, and lines of decisions for ``status``."""

from __future__ import annotations

import optuna
import pytest
from sqlalchemy import select, update
from tiny_studies import TINY

from remix_study.cli.main import main
from remix_study.errors import StudyFileError
from remix_study.study import tables
from remix_study.study.checks import check_study
from remix_study.study.decision_lines import read_lines, store_lines, study_states
from remix_study.study.optuna_tables import Progress
from remix_study.study.registration import register_study
from remix_study.study.storage import open_storage
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study

COSTS = """
[decision]
costs = { class_0 = { class_1 = 5, class_2 = 1 }, class_1 = { class_0 = 1, class_2 = 1 }, \
class_2 = { class_0 = 1, class_1 = 1 } }
"""


def register(storage, added=""):
    (task,) = prepare_tasks(parse_study(TINY + added, "tiny.toml"))
    return register_study(storage, task)


def stored_report(storage):
    with storage.engine.connect() as connection:
        facts = connection.execute(select(tables.studies.c.facts)).scalar_one()
    return facts.get("report", {})


def add_trial(registered):
    trial = optuna.trial.create_trial(values=[0.5, 0.5])
    registered.optuna.add_trial(trial)


def lines_of(storage):
    with storage.engine.connect() as connection:
        return read_lines(connection)


def store(storage, **lines):
    with storage.engine.begin() as connection:
        store_lines(connection, "tiny", lines, study_states(connection)["tiny"])


def test_costs_floor_and_regions_may_be_written_after_training(storage):
    registered = register(storage)
    add_trial(registered)
    assert stored_report(storage) == {}
    assert register(storage, COSTS + "[report]\nrope = { g_mean = 0.02 }").uuid == registered.uuid
    assert stored_report(storage)["rope"] == {"g_mean": 0.02}
    assert stored_report(storage)["costs"]["class_0"] == {"class_1": 5, "class_2": 1}
    register(storage, "[decision]\nfloor = { min_recall = 0.5 }")
    assert stored_report(storage) == {"floor": {"min_recall": 0.5}}
    register(storage)
    assert stored_report(storage) == {}


def test_costs_that_a_study_began_with_may_change_where_it_does_not_name_their_metric(storage):
    registered = register(storage)
    add_trial(registered)
    # Earlier versions had all costs among the settings.
    with storage.engine.begin() as connection:
        settings = connection.execute(select(tables.studies.c.settings)).scalar_one()
        settings = settings | {"decision": {"costs": {"fn": 3, "fp": 1}}}
        connection.execute(update(tables.studies).values(settings=settings))
    assert register(storage, COSTS).uuid == registered.uuid
    assert "costs" in stored_report(storage)


def test_a_line_holds_until_a_trial_or_a_key_of_the_report_is_added(storage):
    assert lines_of(storage) == {}
    registered = register(storage)
    add_trial(registered)
    store(storage, wine="Use this")
    assert lines_of(storage)["tiny", "wine"] == "Use this"
    add_trial(registered)
    assert lines_of(storage) == {}
    store(storage, wine="Use that")
    assert lines_of(storage)["tiny", "wine"] == "Use that"
    register(storage, "[report]\nrope = { bbs = 0.1 }")
    assert lines_of(storage) == {}


def test_status_prints_the_lines_of_finished_problems(storage, monkeypatch, capsys):
    registered = register(storage)
    add_trial(registered)
    store(storage, wine="Use this")
    words = ["status", "--storage", "sqlite:///x.db"]
    assert main(words) == 0
    assert "Use this" not in capsys.readouterr().out
    monkeypatch.setattr("remix_study.study.optuna_tables.read_progress", finished)
    assert main(words) == 0
    assert "tiny/wine: Use this" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert '"decision": "Use this"' in capsys.readouterr().out
    add_trial(registered)
    assert main(words) == 0
    assert (
        "for decisions on the present trials of tiny, run the study again"
        in capsys.readouterr().out
    )


def finished(_engine):
    return [Progress("tiny/wine", 2, 2, 0, 0, 0, 0)]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            "[report]\nrope = { g_men = 0.02 }",
            'report.rope: no metric "g_men"; did you mean "g_mean',
        ),
        ("[report]\nrope = { g_mean = 0 }", "report.rope"),
        ("[report]\nropes = {}", 'report.ropes: unknown key; did you mean "rope"'),
        ("[report]\nrope = { cost = 0.1 }", "report.rope: cost needs what errors cost"),
        (
            "[decision]\nfloor = { bbs = 0.1 }",
            "decision.floor.bbs: no metric of predicted classes",
        ),
        ("[decision]\nfloor = { recall = 1.5 }", "decision.floor"),
        ("[decision]\nfloor = {}", "decision.floor: name one metric, such as { recall = 0.9 }"),
        (COSTS + "floor = { recall = 0.9 }", "decision: costs and floor choose two thresholds"),
    ],
)
def test_what_is_refused(keys, message):
    with pytest.raises(StudyFileError) as caught:
        check_study(parse_study(TINY + keys, "tiny.toml"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_states_are_read_from_postgresql(server):
    storage = open_storage(server.create())
    with storage.engine.connect() as connection:
        assert study_states(connection) == {}
    storage.engine.dispose()
