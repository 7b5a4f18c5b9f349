"""MovieLens-100k's `u.item`: fields between bars, and a column of 0 and 1 for each genre."""

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.plain import read_plain
from graphrec.data.tables.table import Table, to_objects, to_strings

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_HEADER = ("item_id", "title", "release_date", "video_release_date", "url", *_GENRES)


def read_u_item(data: bytes, file: str, collector: SetAsideCollector) -> Table:
    """Columns item_id, title, release_date and genres, these joined by "|"; the file's letters are Latin-1."""
    table = read_plain(data.decode("latin-1").encode(), file, collector, "|", _HEADER)
    flags = {genre: to_objects(table.columns[genre]) == "1" for genre in _GENRES[1:]}
    genres = ["|".join(genre for genre, has in flags.items() if has[row]) for row in range(len(table))]
    columns = {name: table.columns[name] for name in ("item_id", "title", "release_date")}
    return Table(file, table.row_N, columns | {"genres": to_strings(genres)}, {"genres": "|"})
