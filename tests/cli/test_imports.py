"""Commands import no library that they do not need."""

from __future__ import annotations

import subprocess
import sys


def test_help_status_and_workers_import_no_heavy_library(finished):
    heavy = ("keras", "tensorflow", "optuna", "pandas", "sklearn", "scipy", "matplotlib")
    code = (
        "import sys, remix_study\n"
        "light = {m for m in sys.modules if '.' not in m}\n"
        "assert not {'numpy', 'sqlalchemy', 'msgspec'} & light, light\n"
        "from remix_study.cli.main import main\n"
        f"assert main(['status', '--storage', 'sqlite:///{finished}']) == 0\n"
        "try: main(['--help'])\n"
        "except SystemExit as done: assert not done.code\n"
        f"print(sorted(set(sys.modules) & set({heavy})))\n"
        # What a worker has before it sees its study.
        "import remix_study.study.runner, remix_study.workers.main\n"
        f"print(sorted(set(sys.modules) & set({heavy})))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-2:] == ["[]", "['optuna']"]


def test_a_report_imports_what_trains_and_what_stores_only_for_a_summary(finished, tmp_path):
    names = ("keras", "tensorflow", "sklearn", "optuna")
    code = (
        "import sys\n"
        "from remix_study.cli.main import main\n"
        f"words = ['report', '--storage', 'sqlite:///{finished}', '--output', '{tmp_path}/page']\n"
        "assert main(words) == 0\n"
        f"print(sorted(set(sys.modules) & set({names})))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-1] == "[]"
