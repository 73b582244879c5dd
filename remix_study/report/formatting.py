"""Numbers, lists and names as text, for pages and notes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from remix_study.metrics import is_maximized, short_name
from remix_study.results.intervals import Interval

MINUS = "−"
SPACE = "\N{NO-BREAK SPACE}"
JOINER = "\N{WORD JOINER}"
MISSING = "–"
_NAMES = {"remix": "ReMix", "mixup": "MixUp", "smote": "SMOTE", "cost": "class weights"}
_MONITORS = {
    "balanced": "class-balanced validation cross-entropy",
    "natural": "validation cross-entropy at the natural class shares",
}


def number(value: float, digits: int = 3) -> str:
    """A number with fixed decimals and a real minus sign; a dash if it is not finite."""
    if not math.isfinite(value):
        return MISSING
    # Adding zero takes the sign off a negative zero.
    return f"{round(value, digits) + 0:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign written out; none on zero."""
    if not math.isfinite(value):
        return MISSING
    text = number(value, digits)
    return text if text.startswith(MINUS) or not float(text) else f"+{text}"


def percent(share: float, digits: int = 1) -> str:
    """A share in per cent, as in '12.3 %'; a dash if it is not finite."""
    return f"{number(100 * share, digits)} %" if math.isfinite(share) else MISSING


def span(low: float, high: float, digits: int = 3) -> str:
    """A range without line breaks, as in '0.794 to 0.933'."""
    return f"{number(low, digits)}{SPACE}to{SPACE}{number(high, digits)}"


def difference(interval: Interval, digits: int = 3) -> str:
    """A difference with its interval, if it has one, as in '+0.031 (+0.010 to +0.052)'."""
    if not math.isfinite(interval.low):
        return signed(interval.mean, digits)
    ends = f"{signed(interval.low, digits)}{SPACE}to{SPACE}{signed(interval.high, digits)}"
    return f"{signed(interval.mean, digits)} ({ends})"


def plain(value: float) -> str:
    """A number without trailing zeros: 0.05, 1, 0.025."""
    return f"{value:g}"


def p_value(value: float) -> str:
    """A p-value with two significant digits; '< 0.0001' below that."""
    return f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def thousands(value: int) -> str:
    """A count with thousands separators."""
    return f"{value:,}"


def counted(n: int, noun: str, plural: str = "") -> str:
    """A count with its noun: '1 fold', '20 folds'."""
    return f"{thousands(n)} {noun if n == 1 else plural or noun + 's'}"


def listing(items: Iterable[str]) -> str:
    """Items in a line: 'a', 'a and b', 'a, b and c'."""
    *first, last = [*items] or [""]
    return ", ".join(first) + " and " + last if first else last


def first_names(names: Sequence[str], most: int) -> list[str]:
    """The names, or the first of them and how many more there are."""
    return list(names) if len(names) <= most else [*names[:most], f"{len(names) - most} more"]


def short_label(label: str) -> str:
    """The label of a method whose alpha, which a search may have drawn, has three digits."""
    return re.sub(r"\((\d*\.\d+)\)", lambda match: f"({float(match[1]):.3g})", label)


def label_listing(labels: Sequence[str]) -> str:
    """Labels of methods in a line, separated by semicolons if one contains a comma."""
    return "; ".join(labels) if any("," in label for label in labels) else listing(labels)


def kind_title(kind: str) -> str:
    """The title of a kind of problems, as in 'Binary problems'."""
    return f"{kind[:1].upper()}{kind[1:]} problems"


def duration(seconds: float) -> str:
    """Seconds as a duration: '42 s', '2 min 31 s', '3 h 05 min'."""
    if not math.isfinite(seconds):
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ":")) else ".")


def strategy_name(strategy: str) -> str:
    """Name of a strategy in sentences; tables keep the name of the study file."""
    return _NAMES.get(strategy, strategy)


def monitor_name(monitor: str) -> str:
    """Name of the score that early stopping watches."""
    return _MONITORS.get(monitor, monitor)


def label_with_direction(metric: str) -> str:
    """Name and direction of a metric, as in 'g-mean (higher is better)'."""
    return f"{short_name(metric)} ({'higher' if is_maximized(metric) else 'lower'} is better)"


def heading(metric: str) -> str:
    """Name of a metric over a column, with an arrow towards better scores."""
    arrow = "↑" if is_maximized(metric) else "↓"
    return f"{short_name(metric)}{SPACE}{arrow}".replace("-", "\N{NON-BREAKING HYPHEN}")


def digits(metric: str) -> int:
    """Number of decimals of a metric; one more for metrics near zero."""
    return 4 if metric in ("brier", "log_loss", "ece", "cwece", "cost") else 3
