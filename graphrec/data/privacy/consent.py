"""Rows of people who did not agree leave before anything is computed, and leave nothing behind but their number."""

from collections.abc import Iterable

import numpy as np

from graphrec.data.privacy.settings import Answer, ConsentSettings
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, factorize
from graphrec.errors import GraphRecError

NO_CONSENT = "without consent"
_YES, _NO = ("true", "yes", "y", "on", "t"), ("false", "no", "n", "off", "f")


def with_consent(table: Table, settings: ConsentSettings, collector: SetAsideCollector) -> Table:
    """The rows whose consent column says yes. The others are counted; unreadable answers are reported as a number.

    Raises GraphRecError where there is no such column or nobody agreed.
    """
    if settings.column not in table.columns:
        raise GraphRecError(
            f"{table.file} has no column {settings.column!r}, which dataset.yaml names as consent (it has: "
            f"{', '.join(table.columns)}): nothing of it is read without; name the right one, or leave the file out."
        )
    code_N, distinct = factorize(table.text(settings.column))
    granted, denied = _spellings(settings.granted), _spellings(settings.denied)
    answers = [_spelling(one) for one in distinct]
    is_granted_N = np.array([one in granted for one in answers], dtype=bool)[code_N]
    is_unclear_N = np.array([one not in granted | denied for one in answers], dtype=bool)[code_N]
    collector.leave_out(NO_CONSENT, int((~is_granted_N).sum()))
    if is_unclear_N.any():
        collector.warn(
            f"{table.file}: {is_unclear_N.sum()} answers in column {settings.column!r} are neither yes nor no and "
            "count as no; list what they mean under consent: granted or denied in dataset.yaml."
        )
    if not is_granted_N.any():
        raise GraphRecError(
            f"{table.file}: none of its {len(table)} rows has consent: column {settings.column!r} holds none of "
            f"{', '.join(str(one) for one in settings.granted)}."
        )
    return table.take(is_granted_N)


def _spellings(answers: Iterable[Answer]) -> frozenset[str]:
    """YAML reads yes, on and true as one value: it stands for all the ways that it may be written."""
    return frozenset(
        spelling
        for answer in answers
        for spelling in ((_YES if answer else _NO) if isinstance(answer, bool) else (_spelling(str(answer)),))
    )


def _spelling(answer: str) -> str:
    """Lower case; a number without what makes it look different (01, 1.0)."""
    answer = answer.strip().casefold()
    try:
        return f"{float(answer):g}"
    except ValueError:
        return answer
