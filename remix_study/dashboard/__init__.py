"""Studies in optuna-dashboard: notes, live graphs and artifacts, of validation parts only."""
