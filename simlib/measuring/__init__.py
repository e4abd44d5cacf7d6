"""Measures: evaluation, comparison, robustness and duplicates."""

from simlib.measuring.comparison import compare
from simlib.measuring.duplicates import find_duplicates
from simlib.measuring.evaluation import bootstrap_interval, evaluate, precision_at_k
from simlib.measuring.robustness import CHANGES, measure_robustness

__all__ = [
    "CHANGES",
    "bootstrap_interval",
    "compare",
    "evaluate",
    "find_duplicates",
    "measure_robustness",
    "precision_at_k",
]
