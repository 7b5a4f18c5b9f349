"""Bringing the columns of differing sites to one schema, as `dataset.yaml` says; what it does not say is reported."""
