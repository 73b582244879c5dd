"""Many workers on many trivial trials: none lost, none doubled."""

from __future__ import annotations

import pytest
from run_folder import study_text


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
