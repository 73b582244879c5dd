"""Models: Keras networks by name, built in or a user's own.

In come the name and options of a study file with the shape of the data; out comes a
``network.Network``, which the training engine trains. Read ``building`` first: it resolves names
to ``mlp`` and ``cnn`` (the paper's networks) or to ``custom`` (a user's Keras model, by dotted
name). ``augmentation`` builds the image transformations of strategies that augment.
"""
