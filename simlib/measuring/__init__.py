"""Measures: evaluation, comparison, robustness and duplicates."""
