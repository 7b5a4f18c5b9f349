"""Names of the formats that `format:` in dataset.yaml may have."""

from typing import Literal

FormatName = Literal["recbole", "movielens", "amazon-reviews-2023", "xmarket", "hm", "schema.org"]
