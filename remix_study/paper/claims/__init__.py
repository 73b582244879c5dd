"""What the paper says and whether it holds here: one rule a claim, fixed before the full run."""
