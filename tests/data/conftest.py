"""What tests of published files share: a folder of made-up ones, with a cache beside it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from made_up_digits import DIGITS, OPTDIGITS, TES, TRA, write
from msgspec.structs import replace

from remix_study.data.cache import VARIABLE as CACHE
from remix_study.data.catalogue import CATALOGUE, PublishedFile
from remix_study.data.published_files import VARIABLE as DATA


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with made-up digits, and an empty cache beside it."""
    monkeypatch.setenv(DATA, str(tmp_path / "data"))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    for path, content in DIGITS.items():
        write(tmp_path / "data" / path, content)
    return tmp_path / "data"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue with the hashes of the made-up files."""
    files = tuple(PublishedFile(path, sha256(DIGITS[path]).hexdigest()) for path in (TRA, TES))
    monkeypatch.setitem(CATALOGUE, "optdigits", replace(OPTDIGITS, files=files))
