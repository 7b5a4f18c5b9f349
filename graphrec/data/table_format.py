"""How a plain text table is written, where its name does not say it."""

from typing import Annotated, Literal

from pydantic import Field

from graphrec.data.section import Section

Encoding = Literal["utf-8", "latin-1", "cp1252"]


class TableFormat(Section):
    """What `ratings.dat` does not say of itself, and what of a file need not be read."""

    delimiter: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    """What stands between the fields, such as "::"; given, no quotation mark has a meaning."""
    header: tuple[str, ...] | None = None
    """Names of the columns, for a file whose first line is data already."""
    encoding: Encoding = "utf-8"
    """How the file's letters are written."""
    skip: tuple[str, ...] = ()
    """Columns that are not read, such as long texts in a log."""

    @property
    def is_plain(self) -> bool:
        """Whether the file is read by this description and not by its suffix."""
        return self.delimiter is not None or self.header is not None
