"""Models in use: what a study decided, trained on all rows; and a scikit-learn classifier.

In come a study in a database with its data, or rows with their classes. Out goes a folder that
predicts new rows with Keras or scikit-learn alone or through this package, or a fitted classifier.
Read ``refit.py`` first, which trains what a decision names; ``network_export.py`` writes a network
as stock Keras layers, ``contents.py`` what its files say, ``model_folder.py`` the folder;
``saved_model.py`` uses it, and ``fit_again.py`` trains it on new rows. ``classifier.py`` is the
classifier; ``imbalance_metrics.py`` and ``optuna_objective.py`` are doors for training code of the
user's own.
"""
