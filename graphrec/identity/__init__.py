"""Which items of different sites are one product."""

from graphrec.identity.config import MatchConfig
from graphrec.identity.match import match_sites
from graphrec.identity.matches import SiteMatches
from graphrec.identity.review import write_review
from graphrec.identity.verdicts import Verdicts, read_verdicts

__all__ = ["MatchConfig", "SiteMatches", "Verdicts", "match_sites", "read_verdicts", "write_review"]
