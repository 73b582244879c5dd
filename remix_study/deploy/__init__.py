"""Models in use.

In come rows with their classes. Out goes a model that predicts the classes of other rows: a
classifier with scikit-learn's interface, trained as the networks of a study are. Read
``deploy/classifier.py`` first.
"""
