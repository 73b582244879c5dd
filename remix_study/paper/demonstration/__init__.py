"""The paper's own demonstrations, Figures 1 to 4 and 8, on generated data.

In: a :class:`~remix_study.paper.demonstration.generated_data.Scale`, which says how much is drawn
and trained. Out: a folder with a page, as a report has it. Read `page` first, then the numbers:
`boundary` (Figure 1), `samples` (2 and 3) and `blends` (4 and 8), whose data and networks
come from `generated_data`. `plane_figures` draws the plane.
"""
