"""The HTTP service: recommend, search, items and events of one run, which may change while it is served."""
