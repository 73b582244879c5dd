"""The paper's own demonstrations, Figures 1 to 4 and 8, on generated data.

In: a :class:`~remix_study.paper.demonstration.scale.Scale`, which says how much is drawn and
trained. Out: a folder with a page, as a report has it; `boundary.boundary_claim` and
`samples.copies_claim` give the numbers behind two claims. Read `page` first, then the modules of
single figures: `boundary` (1), `samples` (2 and 3), `densities` (4) and `blends` (8), whose data
come from `generated_data` and whose networks from `networks`.
"""
