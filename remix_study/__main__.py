"""``python -m remix_study``."""

from __future__ import annotations

from remix_study.cli.main import main

raise SystemExit(main())
