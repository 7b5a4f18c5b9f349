"""Searching for better settings inside the training data: whole items are masked and must be found again.

Needs the extra `graphrec[tune]` (Optuna; Akiba et al. 2019).
"""
