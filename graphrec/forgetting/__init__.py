"""Removing people from the folders of a run, and looking for what is left of them."""
