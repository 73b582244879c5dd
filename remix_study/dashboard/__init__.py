"""What optuna-dashboard shows of a study: a database comes in; notes, graphs and files go out.

All of it is made from validation parts alone, as whoever looks at a running study may act on what
it shows. Read ``pages`` first: it renews the pages of studies when trials have ended. ``notes``,
``graphs`` and ``artifacts`` make what a page has, ``validation_parts`` hides test parts,
``study_attributes`` writes into the database, ``storages`` opens it, and ``server`` serves it.
"""
