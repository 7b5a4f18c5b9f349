"""What is done to one file of interactions while it is read, so that nothing after it sees what it must not."""

from dataclasses import dataclass

import pyarrow as pa

from graphrec.data.description import DatasetDescription, InteractionsDescription
from graphrec.data.privacy.consent import with_consent
from graphrec.data.privacy.key import SecretKey
from graphrec.data.privacy.pseudonyms import Pseudonyms
from graphrec.data.privacy.settings import ConsentSettings
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table


@dataclass(frozen=True)
class Protection:
    """Of one file: which rows may be read, and what their user ids become."""

    consent: ConsentSettings | None = None
    pseudonyms: Pseudonyms | None = None

    @classmethod
    def of(cls, description: DatasetDescription, source: InteractionsDescription) -> "Protection":
        """As `privacy:` says, or the source's own entry; reads the key. Raises GraphRecError where there is none."""
        privacy = description.privacy
        pseudonyms = None
        if privacy.pseudonyms is not None:
            scope = source.pseudonym_scope or privacy.pseudonyms.scope
            pseudonyms = Pseudonyms(SecretKey.read(privacy.pseudonyms), scope, privacy.pseudonyms.version)
        return cls(source.consent or privacy.consent, pseudonyms)

    def keep_values_out(self, file: str, collector: SetAsideCollector) -> None:
        """Call it before the file is opened: what cannot be read may be somebody's id, or somebody's who said no."""
        if self.consent is None and self.pseudonyms is None:
            return
        collector.keep_no_values_of(file)
        if self.pseudonyms is not None:
            collector.note(
                f"{file}: users are read as pseudonyms (scope {self.pseudonyms.scope!r}, version "
                f"{self.pseudonyms.version}); of rows set aside the number is kept, not what they hold"
            )

    def rows(self, table: Table, collector: SetAsideCollector) -> Table:
        """Those with consent, where it is asked for."""
        return table if self.consent is None else with_consent(table, self.consent, collector)

    def user_ids(self, ids: pa.Array) -> pa.Array:
        """Pseudonyms in place of the ids, where they are asked for."""
        return ids if self.pseudonyms is None else self.pseudonyms.column(ids)
