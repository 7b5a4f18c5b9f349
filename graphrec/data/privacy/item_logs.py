"""Item files that are logs: they hold people, so what protects a file of interactions protects them too."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription
from graphrec.data.privacy.consent import with_consent
from graphrec.data.privacy.settings import ConsentSettings
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table


@dataclass(frozen=True)
class ItemLogs:
    """Whose rows of a log may name an item."""

    consent_of_file: Mapping[str, ConsentSettings | None] = field(default_factory=dict)
    """Of the files that are read as interactions too, by path."""
    otherwise: ConsentSettings | None = None

    @classmethod
    def protect(
        cls,
        description: DatasetDescription,
        items: Sequence[ItemsDescription],
        interactions: Sequence[InteractionsDescription],
        collector: SetAsideCollector,
    ) -> Self:
        """Call it before any file is opened: from here on the collector keeps no values of files that have people.

        Each of `interactions` names its file, held-out ones among them.
        """
        privacy = description.privacy
        for source in interactions:
            if privacy.pseudonyms or privacy.consent or source.consent:
                collector.keep_no_values_of(source.file or "")
        for log in items:
            if log.layout == "log" and (privacy.pseudonyms or privacy.consent):
                collector.keep_no_values_of(log.file or "")
        consent = {posixpath.normpath(one.file or ""): one.consent or privacy.consent for one in interactions}
        return cls(consent, privacy.consent)

    def rows(self, table: Table, collector: SetAsideCollector) -> Table:
        """Those with consent, where it is asked for; where they are read as interactions, they are counted there."""
        file = posixpath.normpath(table.file)
        consent = self.consent_of_file.get(file, self.otherwise)
        if consent is None:
            return table
        return with_consent(table, consent, SetAsideCollector() if file in self.consent_of_file else collector)
