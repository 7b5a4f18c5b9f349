"""`sites:` in dataset.yaml: a folder per site, each described by itself."""

from typing import Annotated

from pydantic import Field, field_validator

from graphrec.data.section import Section, inside_root

SiteName = Annotated[str, Field(pattern=r"^[^\s:|]+$")]
"""Stands in front of the site's ids, with a colon."""


class SiteFolder(Section):
    """One site: its folder, and what its files mean. Its ids get the site's name in front, unless users are shared."""

    folder: str
    """Below the root."""
    description: str | None = None
    """A YAML file below the root that describes the folder as a dataset.yaml in it would. Not given: the folder's own
    dataset.yaml, the usual names, or a known format."""
    shared_users: bool = False
    """Whether equal user ids are the same person as on other sites with this setting."""

    _paths = field_validator("folder", "description")(inside_root)
