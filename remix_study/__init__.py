"""Does ReMix help on my imbalanced data, with which sampler and alpha, and can I trust it?"""

__version__ = "0.1.0"
