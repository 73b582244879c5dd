"""Registering a study: begun once by several processes, and afterwards only extended."""

from __future__ import annotations

import threading
from pathlib import Path

import optuna
import pytest
from grown_studies import grid_of
from sqlalchemy import func, select
from tiny_studies import TINY, tiny

from remix_study.batches.strategies import DEFAULT_STRATEGIES
from remix_study.errors import StorageError, StudyFileError
from remix_study.study import fingerprint, registration, tables
from remix_study.study.planned_work import planned_work
from remix_study.study.registration import register_study
from remix_study.study.storage import open_storage
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import load_study, parse_study
from remix_study.studyfile.schema import PRESETS


def task_of(text: str = TINY):
    (task,) = prepare_tasks(parse_study(text, "tiny.toml"))
    return task


def count(storage, table) -> int:
    with storage.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_dashboard_finds_a_description(storage):
    task = task_of()
    registered = register_study(storage, task)
    study = optuna.load_study(study_name="tiny/wine", storage=storage)
    assert study.metric_names == ["g-mean", "BBS"]
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.user_attrs["rows of each class"] == "class_0: 59, class_1: 71, class_2: 48"
    assert study.user_attrs["values are"] == "means over folds of validation scores"
    assert study.user_attrs[tables.STUDY_ATTRIBUTE] == registered.uuid
    assert count(storage, tables.parts) == 2 * len(task.folds)


def test_long_descriptions_are_cut(storage):
    dataset = "\n".join(f"{i},{'a' * 40}-{i % 40}" for i in range(400))
    Path("many.csv").write_text("x,y\n" + dataset)
    text = tiny(('dataset = "wine"', 'file = "many.csv"\nlabel = "y"'), ("batch_size = 16", ""))
    Path("tiny.toml").write_text(text)
    (task,) = prepare_tasks(load_study("tiny.toml"))
    register_study(storage, task)
    attributes = optuna.load_study(study_name=task.name, storage=storage).user_attrs
    assert max(len(str(value)) for value in attributes.values()) == tables.MAX_ATTRIBUTE_LENGTH


def test_registering_again_changes_nothing(storage):
    first, second = register_study(storage, task_of()), register_study(storage, task_of())
    assert first.uuid == second.uuid
    assert count(storage, tables.studies) == 1


def test_several_threads_may_begin_a_study_at_once(storage):
    task, uuids, ready = task_of(), [], threading.Barrier(4)

    def begin():
        connection = open_storage("sqlite:///x.db")
        ready.wait()
        uuids.append(register_study(connection, task).uuid)
        connection.remove_session()
        connection.engine.dispose()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(uuids) == 4
    assert len(set(uuids)) == 1
    assert count(storage, tables.studies) == 1
    assert count(storage, tables.parts) == 2 * len(task.folds)


def test_another_programs_study_is_not_touched(storage):
    study = optuna.create_study(study_name="tiny/wine", storage=storage)
    study.tell(study.ask(), 1.0)
    with pytest.raises(StudyFileError, match='"tiny/wine" that another program made'):
        register_study(storage, task_of())
    assert study.user_attrs == {}


def test_a_copied_study_without_our_rows_is_not_touched(storage):
    study = optuna.create_study(
        study_name="tiny/wine", storage=storage, directions=["maximize", "minimize"]
    )
    study.set_user_attr(tables.STUDY_ATTRIBUTE, "unknown")
    with pytest.raises(StudyFileError, match='"tiny/wine" that another program made'):
        register_study(storage, task_of())


def test_when_early_stopping_begins_matters_where_there_is_any(storage):
    task = task_of()
    register_study(storage, task).optuna.ask()
    later = 'dataset = "wine"\nstart_from_epoch = 1'
    register_study(storage, task_of(tiny(('dataset = "wine"', later))))
    early = f'{later}\nstop = "early"'
    with pytest.raises(
        StudyFileError, match=r"start_from_epoch: 0 -> 1; .*_step: 60 -> 0; .*stop"
    ):
        register_study(storage, task_of(tiny(('dataset = "wine"', early))))


CHANGES = {
    "epochs = 2": ("epochs = 3", "training.epochs: 2 -> 3"),
    "hidden = [4]": ("hidden = [5]", "model.hidden: [4] -> [5]"),
    "[training]": (
        '[features]\nnumeric = "quantile"\n[training]',
        "features.numeric: standard -> quantile",
    ),
    "folds = 2": ("folds = 3", "cv.folds: 2 -> 3"),
    'name = "tiny"': ('name = "tiny"\nseed = 1', "study.seed: 2020 -> 1"),
    'objectives = ["g_mean", "bbs"]': (
        'objectives = ["bbs", "g_mean"]',
        'study.objectives: ["g_mean", "bbs"] -> ["bbs", "g_mean"]',
    ),
    'dataset = "wine"': (
        'dataset = "wine"\nbatch_size = 8\npatience = 1',
        "training.batch_size: 16 -> 8; training.patience: 20 -> 1",
    ),
    "[0.0, 0.1]": ("[0.0]", "search.space: remix (0.1) taken out"),
    '["baseline", "remix"]': ('["remix"]', "search.space: baseline taken out"),
}


@pytest.mark.parametrize(("old", "new", "message"), [(o, n, s) for o, (n, s) in CHANGES.items()])
def test_changes_of_the_numbers_are_refused(old, new, message, storage):
    registered = register_study(storage, task_of())
    registered.optuna.ask()
    with pytest.raises(StudyFileError) as caught:
        register_study(storage, task_of(tiny((old, new))))
    assert str(caught.value) == (
        f"tiny.toml: tiny/wine began with other settings ({message}); write the earlier values "
        "into the file, or give the study another name"
    )
    assert register_study(storage, task_of()).uuid == registered.uuid


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, (new, _) in CHANGES.items()])
def test_a_study_without_trials_may_change(old, new, storage):
    register_study(storage, task_of())
    register_study(storage, task_of(tiny((old, new))))
    assert count(storage, tables.studies) == 1
    study = optuna.load_study(study_name="tiny/wine", storage=storage)
    assert len(study.directions) == 2
    registered = register_study(storage, task_of(tiny((old, new))))
    assert registered.uuid == study.user_attrs[tables.STUDY_ATTRIBUTE]


def test_configurations_may_be_added(storage):
    register_study(storage, task_of()).optuna.ask()
    more = tiny(("[0.0, 0.1]", "[0.0, 0.1, 0.5]"), ('["baseline", ', '["baseline", "cost", '))
    register_study(storage, task_of(more))
    with storage.engine.connect() as connection:
        planned = connection.execute(select(tables.studies.c.planned)).scalar_one()
    assert len(planned) == 5
    with pytest.raises(StudyFileError, match=r"cost, remix \(0\.5\) taken out"):
        register_study(storage, task_of())


def test_trials_may_be_added_to_a_search(storage):
    def search(trials):
        head = f'[search]\nalgorithm = "tpe"\ntrials = {trials}\n[search.space]'
        alpha = ("alpha.remix = [0.0, 0.1]", "alpha.remix = {low = 0.0, high = 1.0}")
        return task_of(tiny(("[search.space]", head), alpha))

    register_study(storage, search(3)).optuna.ask()
    register_study(storage, search(5))
    with pytest.raises(StudyFileError, match=r"search\.trials: 5 -> 4"):
        register_study(storage, search(4))


def test_the_space_of_a_search_may_not_change(storage):
    text = tiny(("[search.space]", '[search]\nalgorithm = "tpe"\ntrials = 3\n[search.space]'))
    register_study(storage, task_of(text)).optuna.ask()
    with pytest.raises(
        StudyFileError, match=r"search\.space\.alpha\.remix\.values: \[0\.0, 0\.1\] -> "
    ):
        register_study(storage, task_of(text.replace("[0.0, 0.1]", "[0.0, 0.2]")))


def test_changed_data_are_refused(storage):
    rows = "".join(f"{i % 7},{i % 2}\n" for i in range(200))
    Path("own.csv").write_text("x,y\n" + rows)
    text = tiny(('dataset = "wine"', 'file = "own.csv"\nlabel = "y"'))
    register_study(storage, task_of(text)).optuna.ask()
    Path("own.csv").write_text("x,y\n" + rows.replace("6,", "5,", 1))
    with pytest.raises(StudyFileError, match=r"problem\.sha256: \w+"):
        register_study(storage, task_of(text))


NO_MODEL = ("[model]\nhidden = [4]\n", "")


def test_a_key_written_out_at_its_default_is_no_change(storage):
    text = tiny(NO_MODEL)
    uuid = register_study(storage, task_of(text)).uuid
    register_study(storage, task_of(text)).optuna.ask()
    model = "[model]\nhidden = [128, 64]\nensemble = 1\ndropout = 0.1\n\n[training]\npatience = 20"
    written = tiny(
        NO_MODEL,
        ("[training]", model),
        ("[cv]", '[features]\nnumeric = "standard"\nbins = 16\n[cv]'),
        ("repeats = 1", "repeats = 1\nredraw = false\nvalidation = 0.3"),
        ('name = "tiny"', 'name = "tiny"\nseed = 2020'),
    )
    assert register_study(storage, task_of(written)).uuid == uuid


def test_a_search_may_write_out_its_default_strategies(storage):
    space = ('strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]', "learning_rate = [0.1]")
    head = ("[search.space]", '[search]\nalgorithm = "random"\ntrials = 3\n[search.space]')
    register_study(storage, task_of(tiny(space, head))).optuna.ask()
    written = f"strategy = {list(DEFAULT_STRATEGIES)}\n{space[1]}"
    register_study(storage, task_of(tiny((space[0], written), head)))
    cost = tiny((space[0], f'strategy = ["cost"]\n{space[1]}'), head)
    with pytest.raises(StudyFileError, match=r"search\.space\.alpha\.mixup: 0\.1 -> absent"):
        register_study(storage, task_of(cost))


def test_a_study_does_not_go_on_at_another_default(storage):
    text = tiny(NO_MODEL)
    # int(2 (13 + 3) / 3) three times
    paper = task_of(tiny(("hidden = [4]", 'hidden = "paper"')))
    register_study(storage, paper).optuna.ask()
    with pytest.raises(StudyFileError, match=r"\(model\.hidden: \[10, 10, 10\] -> \[128, 64\]\)"):
        register_study(storage, task_of(text))
    register_study(storage, task_of(tiny(("hidden = [4]", "hidden = [10, 10, 10]"))))


def test_a_preset_that_changes_changes_no_study_that_has_begun(storage, monkeypatch):
    register_study(storage, task_of()).optuna.ask()
    monkeypatch.setitem(PRESETS, "quick", {"patience": 7})
    with pytest.raises(StudyFileError, match=r"\(training\.patience: 20 -> 7\)"):
        register_study(storage, task_of())
    register_study(storage, task_of(tiny(("[training]", "[training]\npatience = 20"))))


def test_a_study_without_trials_begins_anew_with_another_engine(storage, monkeypatch):
    first = register_study(storage, task_of()).uuid
    for module in (registration, fingerprint):
        monkeypatch.setattr(module, "ENGINE_VERSION", 7)
    second = register_study(storage, task_of())
    assert second.uuid != first
    second.optuna.ask()
    monkeypatch.undo()
    with pytest.raises(StorageError, match="of engine version 7, and this remix_study trains"):
        register_study(storage, task_of())


class CountedText(str):
    """A text that counts how often it is compared."""

    n_comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedText.n_comparisons += 1
        return str.__eq__(self, other)


def test_a_plan_is_compared_with_an_earlier_one_key_by_key():
    task = task_of(grid_of(50))
    planned = [CountedText(key) for key in planned_work(task)["planned"]]
    settings = fingerprint.resolved_settings(task)
    CountedText.n_comparisons = 0
    assert fingerprint.study_changes(task, settings, planned, 50) == []
    # Twenty thousand compared with each other would take a minute.
    assert 50 <= CountedText.n_comparisons <= 60
