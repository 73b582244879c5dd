"""Several workers: every configuration once, processes recycled, the numbers of one process."""

from __future__ import annotations

import json

import pytest
from run_folder import BOTH_DATABASES, study_text
from tiny_studies import command, complete_values, query, tiny


@BOTH_DATABASES
def test_workers_share_the_configurations_and_are_recycled(folder):
    folder.write(study_text(7))
    words = ("run", "tiny.toml", "--workers", "2", "--recycle", "3")
    code, out, errors = folder.run(*words, seconds=0.2)
    assert (code, errors) == (0, "")
    assert out.startswith("tiny/wine  0 of 7 configurations complete; rows")
    assert "[7/7]" in out
    folder.assert_consistent(7)
    # Nobody ran more than three trials, and no trial ran twice.
    pids = [pid for pid, _ in folder.started_trials()]
    assert len(pids) == 7
    assert max(map(pids.count, pids)) <= 3
    assert len(folder.query("SELECT * FROM remix_manifests")) == 1


@pytest.mark.slow
@BOTH_DATABASES
def test_workers_are_followed_by_the_page(folder):
    folder.write(study_text(3))
    code, out, errors = folder.run("run", "tiny.toml", "--workers", "2", "--report", "page")
    assert (code, errors) == (0, "")
    assert out.endswith("\nreport: page/index.html\n")
    assert "secret" not in (folder.path / "page" / "index.html").read_text()


@pytest.mark.slow
def test_two_workers_give_the_numbers_of_one(tmp_path):
    """Real training, to the last bit: a worker's share of the cores changes no stack."""
    (tmp_path / "tiny.toml").write_text(tiny(("epochs = 2", "epochs = 20")))
    results = []
    for name, options in (("one", ()), ("two", ("--workers", "2"))):
        words = ("run", "tiny.toml", *options, "--storage", f"sqlite:///{name}.db")
        process = command(*words, cwd=tmp_path)
        _, errors = process.communicate(timeout=500)
        assert (process.returncode, errors) == (0, "")
        database = tmp_path / f"{name}.db"
        scores = "SELECT label, repeat, fold, part, metric, value FROM remix_scores s"
        join = "JOIN remix_runs r ON r.id = s.run_id ORDER BY 1, 2, 3, 4, 5"
        ((manifest,),) = query(database, "SELECT manifest FROM remix_manifests")
        results.append((query(database, f"{scores} {join}"), json.loads(manifest)["stack"]))
        assert len(complete_values(database)) == 3
    assert results[0] == results[1]
