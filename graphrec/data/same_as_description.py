"""`same_as:` in dataset.yaml: what says that items of different sites are one product."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from graphrec.data.section import Section, inside_root

KeyName = Literal["product_key", "gtin", "url", "asin"]
KEY_COLUMNS: tuple[KeyName, ...] = ("product_key", "gtin", "url", "asin")
"""Item columns that may identify a product across sites."""


class SameAsDescription(Section):
    """Exact keys, a file of pairs, or both. A site has at most one item of a product, unless told otherwise."""

    keys: tuple[KeyName, ...] = ()
    """Items of different sites that share such a key are one product, with weight 1."""
    file: str | None = None
    """A table of pairs: item_id, same_item_id and, optionally, weight (or probability) and verdict. It may be a review
    file: verdict `yes` links with weight 1, `no` never links, blank links where the weight is high enough."""
    item_prefix: str = ""
    """Put before every item_id of the file; the same as in its site's items."""
    same_item_prefix: str = ""
    """Put before every same_item_id of the file."""
    at_least: float = Field(default=0.9, gt=0, le=1)
    """Pairs of the file without a verdict are linked from this weight on; below it they are left out (counted)."""
    many_per_site: bool = False
    """Whether a site may have several items of one product. If not, keys and pairs that say so are reported, and
    nothing is linked by them."""

    _paths = field_validator("file")(inside_root)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.keys and self.file is None:
            raise ValueError('give keys (such as "keys: [gtin]"), a file of pairs, or both')
        return self
