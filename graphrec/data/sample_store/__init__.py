"""The sample store: two small fashion sites, generated from a seed, with shared users and partly the same products.

Nothing is downloaded. What people like is only partly visible in the content: hidden scenes tie combinations of traits
together (`products`), people follow one or two of them (`people`), and pictures and texts each tell what the other does
not (`pictures`, `writing`). Some things are wrong on purpose (`flaws`). The default store is frozen by its digest.
"""

from graphrec.data.sample_store.store import SampleStoreConfig, sample_store_digest, write_sample_store

DEFAULT_SAMPLE_STORE_DIGEST = "cbb7c8bde7629f28682dd9a57d04239f5fc4d4f1c4e60dc17aca8459547c0660"
"""`sample_store_digest` of what `write_sample_store` writes by default."""

__all__ = ["DEFAULT_SAMPLE_STORE_DIGEST", "SampleStoreConfig", "sample_store_digest", "write_sample_store"]
