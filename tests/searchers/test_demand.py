"""How many suggestions a sweep keeps ready."""

from hypothesis import given
from hypothesis import strategies as st

from heliostat_searchers.tune.demand import Demand


def after(*counts):
    demand = Demand()
    for count in counts:
        demand.note(count)
    return demand.spare


def test_where_trials_are_much_longer_than_thinking_one_is_ready():
    assert after(*[0] * 40) == 1


def test_where_many_end_while_one_thinks_more_are_ready_than_end_on_average():
    assert after(*[4] * 40) > 5


@given(st.lists(st.integers(0, 300), max_size=30), st.integers(0, 300))
def test_one_more_taken_never_means_fewer_ready(counts, last):
    assert 1 <= after(*counts, last) <= after(*counts, last + 1)
