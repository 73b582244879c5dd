"""Repeats that are added to a study: what is there stays, and all is as if planned at once."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import pytest
from recorded_runs import DATABASE, SEARCH, RecordingReporter, at_call, attributes, run, sending
from tiny_studies import assert_clean, query, tiny

from remix_study.cli.main import main
from remix_study.errors import StudyFileError
from remix_study.results.comparison import comparisons
from remix_study.results.frames import EMPTY_SUMMARY, load_frames
from remix_study.results.summary import write_summary
from remix_study.study import runner
from remix_study.study.optuna_tables import chains, read_progress
from remix_study.study.signals import Signals, Stopped
from remix_study.study.storage import open_reader
from remix_study.studyfile.parsing import parse_study

pytestmark = pytest.mark.usefixtures("here", "simulated")


@pytest.fixture(autouse=True)
def _tables(here, _blank):
    """Databases whose tables are made; to make them takes longer than to copy them."""
    for name in (DATABASE, "whole.db", "blank.db"):
        shutil.copy(_blank, here / name)


MORE = ("[0.0, 0.1]", "[0.0, 0.1, 0.5]")
RESULTS = ("folds", "scores", "probabilities")


def grown(repeats: int, *changes: tuple[str, str]) -> str:
    return tiny(("repeats = 1", f"repeats = {repeats}"), *changes)


def results(database: Path = DATABASE) -> dict[str, list[tuple]]:
    """Rows of folds, scores and probabilities by configuration, whichever trial holds them."""
    return {
        table: sorted(
            query(
                database,
                f"SELECT r.label, x.* FROM remix_{table} x JOIN remix_runs r ON r.id = x.run_id",
            ),
            key=lambda row: (row[0], *row[2:4], repr(row[4:])),
        )
        for table in RESULTS
    }


def without_runs(rows: dict[str, list[tuple]]) -> dict[str, list[tuple]]:
    return {table: [(row[0], *row[2:]) for row in of_table] for table, of_table in rows.items()}


def frames(database: Path = DATABASE):
    engine = open_reader(f"sqlite:///{database}")
    loaded = load_frames(engine)
    engine.dispose()
    return loaded


def trials(database: Path = DATABASE) -> list[optuna.trial.FrozenTrial]:
    url = f"sqlite:///{database}"
    return optuna.load_study(study_name="tiny/wine", storage=url).get_trials()


def assert_as_if_at_once(repeats: int, *changes: tuple[str, str]) -> None:
    """Assert that rows, values and frames are those of a study planned with so many repeats."""
    study = parse_study(grown(repeats, *changes), "tiny.toml")
    runner.run(study, storage="sqlite:///whole.db")
    whole = Path("whole.db")
    assert without_runs(results()) == without_runs(results(whole))
    newest = [t for t in trials() if "extended by trial" not in t.user_attrs and t.values]
    assert {t.user_attrs["row"]: t.values for t in newest} == {
        t.user_attrs["row"]: t.values for t in trials(whole)
    }
    for text in ("validation g-mean", "repeats"):
        assert {t.user_attrs["row"]: t.user_attrs[text] for t in newest} == {
            t.user_attrs["row"]: t.user_attrs[text] for t in trials(whole)
        }
    (joined,), (expected,) = comparisons(frames()), comparisons(frames(whole))
    assert [m.label for m in joined.methods] == [m.label for m in expected.methods]
    assert [m.values for m in joined.methods] == [m.values for m in expected.methods]
    assert joined.planned_folds == expected.planned_folds == 2 * repeats
    assert joined.scores.keys() == expected.scores.keys()
    for key, scores in expected.scores.items():
        assert joined.scores[key].equals(scores), key
    readers = frames().probabilities, frames(whole).probabilities
    ours, theirs = (
        [
            read(method.run, *fold)[2]
            for method in comparison.methods
            for fold in ((0, 0, "validation"), (repeats - 1, 1, "test"))
        ]
        for read, comparison in zip(readers, (joined, expected), strict=True)
    )
    assert all(map(np.array_equal, ours, theirs))


@pytest.mark.slow
def test_added_repeats_give_what_all_at_once_would():
    run(grown(2))
    before = results()
    summary = run(grown(5))
    assert (summary.complete_before, summary.completed, summary.complete) == (0, 3, 3)
    for table in RESULTS:
        assert set(before[table]) <= set(results()[table])
    # Each configuration has trained three more repeats of two folds.
    assert query(DATABASE, "SELECT count(*) FROM remix_folds") == [(3 * 5 * 2,)]
    assert_as_if_at_once(5)
    assert_clean(DATABASE)


def test_a_study_grows_twice_and_gets_configurations_beside():
    run(grown(1))
    run(grown(2))
    run(grown(4, MORE))
    assert_as_if_at_once(4, MORE)
    repeats = [sorted(f["repeats"]) for f in facts() if "extends" in f]
    assert sorted(repeats) == [[1]] * 3 + [[2, 3]] * 3
    # The configuration that is new has trained whole.
    assert [t.user_attrs["repeats"] for t in trials()] == [1] * 3 + [2] * 3 + [4] * 4


def facts() -> list[dict]:
    return [json.loads(text) for (text,) in query(DATABASE, "SELECT facts FROM remix_runs")]


def test_trials_say_what_they_extend():
    run(grown(1))
    run(grown(3))
    uuids = [uuid for (uuid,) in query(DATABASE, "SELECT uuid FROM remix_runs ORDER BY id")]
    extending = [f for f in facts() if "extends" in f]
    assert [f["extends"] for f in extending] == uuids[:3]
    assert [f["repeats"] for f in extending] == [[1, 2]] * 3
    attributes_of = [t.user_attrs for t in trials()]
    assert [a.get("extended by trial") for a in attributes_of] == [3, 4, 5, None, None, None]
    assert [a.get("extends trial") for a in attributes_of] == [None, None, None, 0, 1, 2]
    assert [a["repeats"] for a in attributes_of] == [1, 1, 1, 3, 3, 3]


def test_values_are_means_over_all_repeats():
    run(grown(1))
    run(grown(3))
    stored = trials()
    for first, last in zip(stored[:3], stored[3:], strict=True):
        rows = query(
            DATABASE,
            "SELECT value FROM remix_scores s JOIN remix_runs r ON r.id = s.run_id WHERE "
            f"r.label = '{last.user_attrs['row']}' AND part = 'validation' AND metric = 'g_mean'",
        )
        assert len(rows) == 6
        assert last.values[0] == pytest.approx(np.mean(rows))
        assert first.values != last.values


def test_growth_that_is_interrupted_goes_on_where_it_was():
    run(grown(1))
    signals = Signals()
    reporter = RecordingReporter(epoch=at_call(6, sending()))
    with signals.installed(), pytest.raises(Stopped):
        run(grown(3), reporter=reporter, signals=signals)
    states = [t.state.name for t in trials()]
    assert states == ["COMPLETE"] * 4 + ["FAIL"]
    engine = open_reader(f"sqlite:///{DATABASE}")
    (progress,) = read_progress(engine)
    engine.dispose()
    assert (progress.complete, progress.missing) == (1, 2)
    # A page before the end shows what each configuration has.
    (comparison,) = comparisons(frames())
    missing = [comparison.missing_folds(m.label, "g_mean") for m in comparison.methods]
    assert sorted(missing) == [0, 4, 4]
    summary = run(grown(3))
    assert (summary.complete_before, summary.completed) == (1, 2)
    assert_as_if_at_once(3)


@pytest.mark.slow
def test_growth_again_before_the_first_is_done():
    run(grown(1))
    signals = Signals()
    with signals.installed(), pytest.raises(Stopped):
        run(grown(2), reporter=RecordingReporter(epoch=at_call(6, sending())), signals=signals)
    run(grown(4))
    assert_as_if_at_once(4)
    repeats = [f["repeats"] for f in facts() if "extends" in f]
    assert sorted(repeats) == [[1], [1, 2, 3], [1, 2, 3], [2, 3]]


@pytest.mark.slow
def test_a_trial_whose_mark_was_lost_is_marked_by_the_next_run():
    run(grown(1))
    run(grown(2))
    with closing(sqlite3.connect(DATABASE)) as connection:
        connection.execute("DELETE FROM trial_user_attributes WHERE key = 'extended by trial'")
        connection.commit()
    run(grown(2))
    assert attributes("extended by trial") == [3, 4, 5]


def test_fewer_repeats_are_refused():
    run(grown(3))
    with pytest.raises(StudyFileError) as refusal:
        run(grown(2))
    assert str(refusal.value) == (
        "tiny.toml: tiny/wine began with other settings (cv.repeats: 3 -> 2, but repeats can be "
        "added only); write the earlier values into the file, or give the study another name"
    )
    # Also where the study has grown, and nothing of it is trained yet.
    with pytest.raises(StudyFileError, match=r"cv\.repeats: 3 -> 2"):
        run(grown(2, MORE))


def test_another_change_beside_more_repeats_is_refused_alone():
    run(grown(1))
    with pytest.raises(StudyFileError, match=r"settings \(training\.epochs: 2 -> 3\);"):
        run(grown(2, ("epochs = 2", "epochs = 3")))
    assert query(DATABASE, "SELECT max(repeat) FROM remix_parts") == [(0,)]


@pytest.mark.parametrize(
    "head", [SEARCH, (SEARCH[0], SEARCH[1].replace("trials", "outer = 2\ntrials"))]
)
def test_a_search_does_not_grow(head):
    run(grown(1, head))
    with pytest.raises(StudyFileError) as refusal:
        run(grown(2, head))
    assert "(cv.repeats: 1 -> 2, but a search chose its trials by the repeats" in str(
        refusal.value
    )
    assert "\n" not in str(refusal.value)


def test_nothing_grows_where_another_part_of_the_file_is_refused():
    then = ("[search.space]", '[search.then]\nalgorithm = "random"\ntrials = 2\n[search.space]')
    two = ('dataset = "wine"', 'dataset = "wine"\n[[problems]]\ndataset = "digits"')
    for head, reason in ((then, "a search chose"), (two, r"epochs: 2 -> 3")):
        shutil.copy("blank.db", DATABASE)
        run(grown(1, head))
        digits = ('dataset = "digits"', 'dataset = "digits"\nepochs = 3')
        with pytest.raises(StudyFileError, match=reason):
            run(grown(2, head, *([digits] if head is two else [])))
        assert query(DATABASE, "SELECT max(repeat) FROM remix_parts") == [(0,)]
        assert run(grown(1, head)).completed == 0


def test_a_worker_of_the_older_file_goes_on_and_begins_no_more():
    """What it still trains is whole for its file, and is extended afterwards."""
    grows = at_call(1, lambda: run(grown(3)))
    # While it trains its first configuration, another process adds repeats to all others.
    run(grown(1), reporter=RecordingReporter(epoch=grows))
    assert [t.user_attrs["repeats"] for t in trials()] == [1, 3, 3]
    with pytest.raises(StudyFileError, match=r"cv\.repeats: 3 -> 1"):
        run(grown(1))
    run(grown(3))
    assert_as_if_at_once(3)


def test_configurations_that_share_a_program_grow_together():
    text = ("epochs = 2", "epochs = 2\nstack = 20")
    run(grown(1, text))
    reporter = RecordingReporter()
    run(grown(3, text), reporter=reporter)
    begun = [event[1:3] for event in reporter.events if event[0] == "trial"]
    assert begun == [("baseline, repeats 2 to 3 and 2 beside it", 12)]
    assert_as_if_at_once(3, text)


@pytest.mark.slow
def test_those_that_lack_other_repeats_train_in_other_programs():
    text = ("epochs = 2", "epochs = 2\nstack = 20")
    run(grown(1, text))
    reporter = RecordingReporter()
    run(grown(3, text, MORE), reporter=reporter)
    begun = [event[1:3] for event in reporter.events if event[0] == "trial"]
    assert [members for _, members in begun] == [12, 6]
    assert_as_if_at_once(3, text, MORE)


@pytest.mark.slow
def test_a_study_from_before_trials_told_their_repeats_grows():
    run(grown(2))
    with closing(sqlite3.connect(DATABASE)) as connection:
        connection.execute("DELETE FROM trial_user_attributes WHERE key = 'repeats'")
        connection.commit()
    assert run(grown(2)).completed == 0
    run(grown(3))
    run(grown(4))
    assert query(DATABASE, "SELECT count(*) FROM remix_folds") == [(3 * 4 * 2,)]


def test_repeats_that_are_added_to_a_summary():
    run(grown(1))
    engine = open_reader(f"sqlite:///{DATABASE}")
    write_summary(engine, (), (), (), Path("summary.db.xz"))
    engine.dispose()
    assert main(["import", "summary.db.xz", "--storage", "sqlite:///x2.db"]) == 0
    Path("x2.db").replace(DATABASE)
    run(grown(2))
    joined = frames()
    # No page corrects or bins probabilities of a part of the folds.
    assert joined.summaries == dict.fromkeys(joined.runs["run"], EMPTY_SUMMARY)
    (comparison,) = comparisons(joined)
    assert all(not comparison.missing_folds(m.label, "g_mean") for m in comparison.methods)


def test_status_repair_and_copies_know_extensions(capsys):
    Path("tiny.toml").write_text(grown(2))
    assert main(["run", "tiny.toml"]) == 0
    Path("tiny.toml").write_text(grown(3))
    assert main(["run", "tiny.toml"]) == 0
    output = capsys.readouterr().out
    assert "remix (0.1), repeat 3 " in output
    assert main(["repair"]) == 0
    assert main(["import", "remix-study.db", "--storage", "sqlite:///copy.db"]) == 0
    assert main(["repair", "--storage", "sqlite:///copy.db"]) == 0
    copy = Path("copy.db")
    assert without_runs(results(copy)) == without_runs(results(Path("remix-study.db")))
    Path("tiny.toml").write_text(grown(4))
    assert main(["run", "tiny.toml", "--storage", "sqlite:///copy.db"]) == 0
    assert query(copy, "SELECT count(*) FROM remix_folds") == [(3 * 4 * 2,)]
    # A fold of an added repeat that is lost.
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("DELETE FROM remix_folds WHERE repeat = 3 AND fold = 1 AND run_id = 7")
        connection.commit()
    capsys.readouterr()
    assert main(["repair", "--storage", "sqlite:///copy.db"]) == 1
    assert "trial 6 is COMPLETE and rows of its results are not there" in capsys.readouterr().out


def test_chains_leave_out_what_does_not_follow():
    links = [("a", 0, None), ("b", 1, None), ("a", 2, None), ("a", 3, 0), ("b", 4, 9), ("a", 5, 0)]
    assert chains([*links, ("a", 6, 3), ("c", 7, 2)]) == {"a": [0, 3, 6], "b": [1]}
