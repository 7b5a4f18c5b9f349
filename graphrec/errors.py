"""The one exception that a user's mistake raises: its message is one line that says what to change."""


class GraphRecError(Exception):
    """Something the user can put right; the command line prints it without a traceback and exits with 1."""
