"""Models: Keras networks by name, built in or a user's own.

In come the name and options of a study file with the shape of the data; out comes a
``networks.Network``, which the training engine trains. Read ``building`` first: it resolves names
to the paper's two (``networks``) or to a user's Keras model, by dotted name (``custom``).
``augmentation`` builds the image transformations of strategies that augment.
"""
