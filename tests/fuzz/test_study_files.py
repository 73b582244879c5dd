"""Damaged study files: read, or refused in one line that begins with the file."""

from __future__ import annotations

import random
from pathlib import Path

from fuzz.draws import both_lengths, draws
from fuzz.random_tables import damaged

from remix_study.errors import RemixStudyError
from remix_study.study.checks import check_study
from remix_study.studyfile.parsing import built_in_studies, load_study

STUDIES = [path.read_bytes() for path in built_in_studies().values()]
ODD_VALUES = (
    "1" * 5000, "1e400", "-inf", "nan", "0x" + "f" * 5000, "1_000", "2026-01-02", "01:02:03",
    "true", '""', '"\\u0000"', '"\\u202e"', '"' + "x" * 10**5 + '"', "'''\n\n'''", "[]", "{}",
    "[" * 3000, "[" * 900 + "]" * 900, "{a=" * 900 + "1" + "}" * 900, "[[], {}]", '["a", 1]',
    "{low = 1, high = 0}", "{low = 1e-320, high = 1e308, log = true}", "-1", "9223372036854775808",
)  # fmt: skip
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-7", "cp037", "utf-8-sig")


def change(draw: random.Random, content: bytes) -> bytes:
    """The content with a few lines or bytes changed, or in another encoding."""
    lines = content.splitlines(keepends=True)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(lines))
        key, is_value, _ = lines[place].partition(b" = ")
        match draw.randrange(5):
            case 0 if is_value:
                lines[place] = key + f" = {draw.choice(ODD_VALUES)}\n".encode()
            case 1:
                lines.insert(place, draw.choice(lines))
            case 2:
                lines[place] = draw.choice(lines)
            case 3:
                lines[place] = damaged(draw, lines[place])
            case _:
                lines[place] = draw.choice((b"", b".".join([b"a"] * 2000) + b" = 1\n", b"[a]\n"))
    content = b"".join(lines)
    if draw.random() < 0.1:
        return content.decode(errors="replace").encode(draw.choice(ENCODINGS), "replace")
    return damaged(draw, content) if draw.random() < 0.2 else content


@both_lengths
def test_a_damaged_study_file_is_read_or_refused_in_one_line(
    tmp_path: Path, seconds: float
) -> None:
    path = tmp_path / "s.toml"
    for draw in draws(40, seconds):
        path.write_bytes(change(draw, draw.choice(STUDIES)))
        message = ""
        try:
            check_study(load_study(path))
        except RemixStudyError as error:
            message = str(error)
        assert not message or message.startswith(str(path)), message
        assert "\n" not in message
        assert len(message) <= 2005
