"""Class names of any length, on both databases."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_searches import DATABASE, URL, text_of
from tiny_studies import tiny

from remix_study.errors import StudyFileError
from remix_study.metrics import METRICS
from remix_study.results.search_frames import load_searches
from remix_study.study import fingerprint, planned_work, registration, runner, task
from remix_study.study.optuna_tables import read_progress, registered_studies
from remix_study.study.storage import closing, open_reader, open_storage
from remix_study.study.tables import MAX_NAME_LENGTH, short_name
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study

LONG = "y" * 600


@given(st.text(min_size=1, max_size=700), st.text(max_size=700))
def test_a_name_fits_its_column_and_stays_itself(first, second):
    for name in (first, second):
        assert len(short_name(name)) <= MAX_NAME_LENGTH
        assert (short_name(name) == name) == (len(name) <= MAX_NAME_LENGTH)
    assert (short_name(first) == short_name(second)) == (first == second)


def text() -> str:
    """A nested search of a table whose rare class has a name of 600 letters."""
    rows = [f"{i % 7},{i % 5},{LONG if i % 3 == 0 else 'no'}" for i in range(180)]
    Path("data.csv").write_text("\n".join(["a,b,label", *rows]))
    data = f'file = "data.csv"\nlabel = "label"\nkind = "binary"\nminority = ["{LONG}"]'
    return text_of("random", ('dataset = "wine"', data), trials=3, more="outer = 2")


def progress(url: str) -> dict[str, tuple[int, int]]:
    engine = open_reader(url)
    try:
        return {
            progress.name: (progress.planned, progress.complete)
            for progress in read_progress(engine)
        }
    finally:
        engine.dispose()


def check_run(url: str) -> None:
    study = parse_study(text(), "tiny.toml")
    summary = runner.run(study, storage=url)
    assert summary.complete == summary.configurations
    whole = f"data-{LONG}"
    names = [short_name(f"{whole}{part}") for part in ("", "/outer", "/outer 1", "/outer 2")]
    assert progress(url).keys() == {f"tiny/{name}" for name in names}
    assert runner.run(study, storage=url).completed == 0
    engine = open_reader(url)
    with engine.connect() as connection:
        registered = registered_studies(connection)
        (search,) = load_searches(connection, registered)
    engine.dispose()
    (row,) = (row for _, row in registered if row.problem == names[0])
    assert row.facts["whole_name"] == whole
    assert len(search.outer) == search.planned_outer == 6


@pytest.fixture
def _database(here, _blank):
    shutil.copy(_blank, here / DATABASE)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.usefixtures("simulated", "_database")
def test_a_study_of_long_names_runs_on_sqlite():
    check_run(URL)


def test_names_that_postgresql_does_not_hold_are_refused_before_anything_trains(monkeypatch):
    def check(name: str) -> None:
        search = f'[search]\nestimators = ["{name}"]\n[search.space]'
        section = f'[estimators.{name}]\nclass = "sklearn.naive_bayes.GaussianNB"\n'
        study = parse_study(tiny(("[search.space]", search)) + section, "tiny.toml")
        planned_work.check_lengths(SimpleNamespace(study=study, role=""))

    check("e" * 64)
    with pytest.raises(
        StudyFileError, match=r"tiny.toml: search.estimators: .* has 65 .* 64: name"
    ):
        check("e" * 65)
    keys = {"planned": ["k" * 1024, "k" * 1025]}
    monkeypatch.setattr(planned_work, "planned_work", lambda _: keys)
    with pytest.raises(
        StudyFileError, match=r"search.space: .* has 1025 .* 1024: vary fewer keys"
    ):
        check("e")


@pytest.mark.slow
@pytest.mark.usefixtures("simulated", "here")
def test_a_study_of_long_names_runs_on_postgresql(server):
    check_run(server.create())


@pytest.mark.usefixtures("simulated", "_database")
def test_a_study_from_before_names_were_cut_goes_on(monkeypatch):
    study = parse_study(text().replace("outer = 2", ""), "tiny.toml")
    with monkeypatch.context() as earlier:
        for module in (fingerprint, registration.tables, task):
            earlier.setattr(module, "short_name", lambda name: name)
        runner.run(study, storage=URL)
    assert runner.run(study, storage=URL).completed == 0
    more = parse_study(study.text.replace("trials = 3", "trials = 5"), "tiny.toml")
    assert runner.run(more, storage=URL).completed == 2
    assert progress(URL) == {f"tiny/data-{LONG}": (5, 5)}


@pytest.mark.usefixtures("_database")
def test_a_study_that_was_only_created_under_its_whole_name_is_begun():
    (planned,) = prepare_tasks(parse_study(text().replace("outer = 2", ""), "tiny.toml"))
    with closing(open_storage(URL)) as storage:
        study = optuna.create_study(
            storage=storage,
            study_name=planned.whole_name,
            directions=[METRICS[name].direction for name in planned.study.objectives],
        )
        assert registration.register_study(storage, planned).optuna._study_id == study._study_id
