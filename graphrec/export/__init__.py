"""Ways out of a run: files that other programs read."""
