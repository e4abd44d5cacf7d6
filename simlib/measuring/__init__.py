"""Measures: evaluation, comparison, robustness and duplicates."""

from simlib.measuring.comparison import compare
from simlib.measuring.differences import paired_difference
from simlib.measuring.duplicates import Duplicates, find_duplicates
from simlib.measuring.evaluation import bootstrap_interval, evaluate, precision_at_k
from simlib.measuring.robustness import CHANGES, measure_robustness

__all__ = [
    "CHANGES",
    "Duplicates",
    "bootstrap_interval",
    "compare",
    "evaluate",
    "find_duplicates",
    "measure_robustness",
    "paired_difference",
    "precision_at_k",
]
