"""The sections of every report page: selections from `results/` as text, tables and figures.

In: comparisons of problems or what was computed from them, as each section's function takes it.
Out: a section with its table files. Read `overview` first, the simplest one;
`decision` opens the page. Places on the page are given by `report.registry`.
"""
