"""Batches: which rows a member trains on, in which order and blend; plain NumPy, no network.

In come a member's training rows (``training_rows.TrainingRows``), a strategy by name
(``strategies.make_strategy``), a seed and an epoch; out comes a batch plan
(``plan.plan_epoch``): pairs of row positions with their weights, for features and labels. Read
``plan`` first, then ``strategies``, which combines one of ``samplers``, one of ``mixing`` and one
of ``losses``. Samplers are built from ``class_groups``; those of the paper's code are in
``authors_code``; ``keras_dataset`` gives the same batches to any Keras ``model.fit``.
"""
