"""Folders as others publish them, each recognised by its files and described as `dataset.yaml` would."""
