"""Price columns in one currency, at the user's rates."""

import numpy as np
import pyarrow as pa

from graphrec.data.normalise.numbers import split_number
from graphrec.data.normalise.settings import CurrencyConversion, NormaliseSettings
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, factorize, to_strings

_MISSING = "the price counts as missing, the row stays"
_NO_PRICE = f"not one price such as 12.99; {_MISSING}"
_OTHER = f"what stands beside the number is not its currency; {_MISSING}"
_CODE_COLUMNS = ("price_currency", "currency", "currency_code")
_SYMBOLS = {
    "$": ("AUD", "CAD", "HKD", "MXN", "NZD", "SGD", "TWD", "USD"),
    "€": ("EUR",),
    "£": ("GBP",),
    "¥": ("CNY", "JPY"),
    "₹": ("INR",),
}
"""Symbol → the currencies that it may stand for: it is checked against the code and never decides by itself."""


def in_currency(
    table: Table, column: str, code_column: str | None, conversion: CurrencyConversion, collector: SetAsideCollector
) -> pa.Array:
    """The column as plain numbers in the currency `to`.

    Reported, and missing: what is no price, a currency without a rate, a symbol that contradicts the code.
    """
    price_code_N, prices = factorize(table.text(column))
    split = [split_number(text) for text in prices]
    number_N = np.array([np.nan if one is None else one[0] for one in split])[price_code_N]
    around_N = np.array(["" if one is None else one[1] for one in split], dtype=object)[price_code_N]
    is_given_N = np.array([text != "" for text in prices], dtype=bool)[price_code_N]
    code_N = np.full(len(table), conversion.source, dtype=object)
    if code_column is not None:
        row_code_N, codes = factorize(table.text(code_column))
        code_N = np.array([code.upper() for code in codes], dtype=object)[row_code_N]
    collector.report(table, is_given_N & np.isnan(number_N), column, _NO_PRICE)
    is_usable_N = is_given_N & ~np.isnan(number_N)
    is_other_N = np.array(
        [around != "" and not _agrees(around, code) for around, code in zip(around_N, code_N, strict=True)], dtype=bool
    )
    collector.report(table, is_usable_N & is_other_N, column, _OTHER)
    is_usable_N &= ~is_other_N
    rate_of = {code: conversion.rate_of(code) or np.nan for code in dict.fromkeys(code_N)}
    rate_N = np.array([rate_of[code] for code in code_N], dtype=np.float64)
    _report_unknown(table, code_column or column, code_N, is_usable_N & np.isnan(rate_N), conversion, collector)
    value_N = np.where(is_usable_N, number_N * rate_N, np.nan)
    return to_strings(np.array(["" if np.isnan(value) else repr(float(value)) for value in value_N], dtype=object))


def warn_of_several_currencies(table: Table, settings: NormaliseSettings, collector: SetAsideCollector) -> None:
    """Say where a file names several currencies and nobody said what they are worth."""
    column = next((name for name in _CODE_COLUMNS if name in table.columns), None)
    if column is None or settings.currency or "price" not in table.columns:
        return
    _, codes = factorize(table.text(column))
    named = sorted(code for code in codes if code)
    if len(named) > 1:
        setting = f"currency: {{price: {{code_column: {column}, to: {named[0]}, rates: {{...}}}}}}"
        collector.warn(
            f"{table.file}: prices in several currencies ({', '.join(named[:5])}) count as plain numbers; add "
            f'"{setting}" under items: in dataset.yaml.'
        )


def _agrees(around: str, code: str) -> bool:
    return around.upper() == code or code in _SYMBOLS.get(around, ())


def _report_unknown(
    table: Table,
    column: str,
    code_N: np.ndarray,
    is_unknown_N: np.ndarray,
    conversion: CurrencyConversion,
    collector: SetAsideCollector,
) -> None:
    if not is_unknown_N.any():
        return
    collector.report(table, is_unknown_N, column, f"a currency without a rate; {_MISSING}")
    codes, counts = np.unique(code_N[is_unknown_N].astype(str), return_counts=True)
    code, count = codes[counts.argmax()], counts.max()
    if code:
        advice = f"add rates: {{{code}: <what one {code} is worth in {conversion.to}>}} under currency: in dataset.yaml"
    else:
        advice = "name the currency of every price"
    collector.warn(
        f"{table.file}: {is_unknown_N.sum()} prices count as missing for want of a rate, such as {count} in "
        f"{code or '(no currency)'}; {advice}."
    )
