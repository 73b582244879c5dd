"""Seeds of random draws, derived from their purpose; the same on every machine."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """Derive a seed from its purpose, such as ``derive_seed(2020, "musk", "folds")``.

    The parts are hashed with SHA-256 rather than added up, so that neighbouring studies, repeats
    or folds do not share a stream, and rather than by Python's ``hash``, which is salted.

    Args:
        parts: The study's seed, what the draw belongs to, and the purpose.

    Returns:
        An integer in [0, 2**63).
    """
    # The length separates ("ab", "c") from ("a", "bc"), the type's letter separates 1 from "1".
    text = "".join(f"{type(part).__name__[0]}{len(str(part))}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def model_seeds(seed: int, problem: str) -> tuple[int, int]:
    """Seeds of a model for use: of its networks, and that of its validation part (32 bits)."""
    return derive_seed(seed, "fit"), derive_seed(seed, problem, "fit", "validation") % 2**32
