"""Every random draw starts here: a seed for a purpose, the same on every machine."""

from __future__ import annotations

import hashlib


def derive(*parts: int | str) -> int:
    """Derive a seed from what it is for, such as ``derive(2020, "musk", "folds")``.

    The parts are hashed rather than added up, so that neighbouring studies, repeats or folds do
    not share a stream, and Python's own salted ``hash`` is never involved.

    Args:
        parts: The study seed first, then what the draw belongs to, the purpose last.

    Returns:
        An integer in [0, 2**63).
    """
    # The length prefix keeps ("ab", "c") apart from ("a", "bc"), the type letter 1 from "1".
    text = "".join(f"{type(part).__name__[0]}{len(str(part))}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
