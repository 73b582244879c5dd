"""Training of all folds of a trial at once, as stacked Keras networks on batch plans.

What comes in are a problem's rows, a network, members (a fold's rows and seed) and a strategy;
what goes out are outcomes: probabilities of each member's validation and test rows, its loss
curves and its epochs. Read ``engine`` first, then ``stack_trainer``, the epoch loop, and ``step``,
what is compiled. Nothing here knows of studies, trials or databases.
"""
