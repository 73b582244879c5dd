"""The version of the engine, stored with every trial.

Trials of one version have the same numbers for the same seeds on one kind of machine. A change of
seeds, draws, initial weights, arithmetic or stopping that alters a stored score needs a new
version; trials without one are of version 1.
"""

ENGINE_VERSION = 1
