"""Where each item of a catalogue was read, so that a later finding can name the file and the row."""

from dataclasses import dataclass

import numpy as np

from graphrec.data.set_aside import SetAsideCollector


@dataclass(frozen=True)
class ItemRows:
    """The file of each item, and its row in it (from 1)."""

    file_I: np.ndarray
    row_I: np.ndarray

    def report(
        self, items: np.ndarray, column: str, value_N: np.ndarray, reason: str, collector: SetAsideCollector
    ) -> None:
        """Report the rows of some items (indices), each with its value; the items stay."""
        for file in dict.fromkeys(self.file_I[items]):
            is_here_N = self.file_I[items] == file
            collector.add(file, self.row_I[items[is_here_N]], column, value_N[is_here_N], reason)
