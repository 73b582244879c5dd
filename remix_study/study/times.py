"""Times of the database: UTC in ISO 8601, whatever zone a machine or a server is set to."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str) -> datetime:
    """A time as the project's tables have it; one without a zone is UTC."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def utc_without_zone(time: datetime) -> datetime:
    """A time as Optuna's tables have it: UTC, and no zone that says so."""
    return time.astimezone(UTC).replace(tzinfo=None)
