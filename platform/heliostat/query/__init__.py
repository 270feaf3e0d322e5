"""Questions about runs: filters, their text and wire forms, order, pages; pure, over values alone.

What a comparison means is written in :mod:`heliostat.query.meaning`, what may be asked about in
:mod:`heliostat.query.fields`, the text form in :mod:`heliostat.query.language`.
"""

from heliostat.query.columns import FACTS, TIMES, columns
from heliostat.query.conditions import And, Condition, Filter, Not, Or, predicate
from heliostat.query.fields import Field, field
from heliostat.query.language import read_fields, read_where
from heliostat.query.pages import Place, RunPage, RunQuery, answer, page_of
from heliostat.query.wire import read_filters, write_filters

__all__ = [
    "FACTS",
    "TIMES",
    "And",
    "Condition",
    "Field",
    "Filter",
    "Not",
    "Or",
    "Place",
    "RunPage",
    "RunQuery",
    "answer",
    "columns",
    "field",
    "page_of",
    "predicate",
    "read_fields",
    "read_filters",
    "read_where",
    "write_filters",
]
