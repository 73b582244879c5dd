"""Many workers on many trivial trials: none lost, none doubled. Ten kills: no bit is another."""

from __future__ import annotations

import random
import subprocess
import time
from contextlib import suppress

import pytest
import sqlalchemy
from run_folder import RunFolder, study_text
from tiny_studies import command, tiny

STORED = (
    "SELECT r.label, x.repeat, x.fold, x.part, x.metric, x.value FROM remix_scores x "
    "JOIN remix_runs r ON r.id = x.run_id ORDER BY 1, 2, 3, 4, 5",
    "SELECT r.label, x.repeat, x.fold, x.part, x.probabilities FROM remix_probabilities x "
    "JOIN remix_runs r ON r.id = x.run_id ORDER BY 1, 2, 3, 4",
    "SELECT v.objective, v.value FROM trial_values v JOIN trials t ON t.trial_id = v.trial_id "
    "WHERE t.state = 'COMPLETE' ORDER BY 1, 2",
)


@pytest.mark.slow
@pytest.mark.parametrize(("configurations", "workers"), [(100, 4), (2000, 8)])
def test_trivial_trials_in_one_file(sqlite_folder, configurations, workers):
    sqlite_folder.write(study_text(configurations))
    running = sqlite_folder.start("run", "tiny.toml", "--workers", str(workers), "--recycle", "0")
    _, errors = running.communicate(timeout=3600)
    assert (running.returncode, errors) == (0, "")
    sqlite_folder.assert_consistent(configurations)
    assert sqlite_folder.trial_states() == {"COMPLETE": configurations}
    labels = [label for _, label in sqlite_folder.started_trials()]
    assert len(labels) == len(set(labels)) == configurations
    pids = [pid for pid, _ in sqlite_folder.started_trials()]
    assert len(set(pids)) == workers


def stored(url: str) -> list[list[tuple]]:
    """All scores, probabilities and values of COMPLETE trials."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return [list(map(tuple, connection.execute(sqlalchemy.text(sql)))) for sql in STORED]


@pytest.mark.slow
def test_ten_kills_at_random_moments_and_a_finish_are_a_run_that_nothing_disturbed(
    folder, request
):
    """With real training."""
    whole = f"sqlite:///{folder.path}/whole.db"
    if folder.engine.dialect.name == "postgresql":
        whole = request.getfixturevalue("server").create()
    folder.write(tiny(("[0.0, 0.1]", "[0.0, 0.1, 0.2, 0.4]"), ("epochs = 2", "epochs = 40")))
    start = time.monotonic()
    run(folder, whole)
    seconds, rng = time.monotonic() - start, random.Random(2026)
    for _ in range(10):
        process = command("run", "tiny.toml", "--storage", folder.url, cwd=folder.path)
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.2, seconds / 2))
        process.kill()
        process.communicate()
    run(folder, folder.url)
    assert stored(folder.url) == stored(whole)
    assert folder.trial_states()["RUNNING"] == 0
    for table in ("remix_claims", "remix_workers"):
        assert folder.query(f"SELECT * FROM {table}") == []


def run(folder: RunFolder, url: str) -> None:
    process = command("run", "tiny.toml", "--storage", url, cwd=folder.path)
    _, errors = process.communicate(timeout=1200)
    assert (process.returncode, errors) == (0, "")
