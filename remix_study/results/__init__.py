"""Results: what stored trials show, as numbers and facts; sentences and pages are the report's.

In comes a database of studies. `frames` reads it into tidy data frames; `comparison` turns these
into one `Comparison` a problem, with its `methods` and their scores fold by fold. Out go frozen
objects of facts, and tables whose columns are those of the report's CSV files (each module's
`table` functions). `effects` has every mean score and every difference of a problem's
methods, each with its interval. Read `comparison.py` first, then `effects.py`; every other module
answers one question about comparisons.
"""
