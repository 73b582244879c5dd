"""The version of this package, as manifests, pages and worker processes name it."""

__version__ = "0.1.0"
