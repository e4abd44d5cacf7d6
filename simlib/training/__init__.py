"""Training: SimCLR and its views."""
