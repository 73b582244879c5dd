"""The versions of this package and of its engine."""

__version__ = "0.2.0"
"""The package's, as manifests, pages and worker processes name it."""

ENGINE_VERSION = 3
"""The engine's, stored with every trial.

Trials of one version have the same numbers for the same seeds on one kind of machine. A change of
seeds, draws, initial weights, arithmetic or stopping that alters a stored score needs a new
version; trials without one are of version 1.
"""
