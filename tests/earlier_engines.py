"""The package as if it trained with an earlier version of its engine."""

from __future__ import annotations

from remix_study.study import fingerprint, record, registration, trials


def pretend_engine_version(monkeypatch, version: int) -> None:
    """Let studies that an engine of this version began go on."""
    for module in (registration, fingerprint, record, trials):
        monkeypatch.setattr(module, "ENGINE_VERSION", version)
