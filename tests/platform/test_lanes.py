"""Askings that share a call to an actor: each gets its own answer, or what went wrong."""

import asyncio

import pytest

from heliostat.steering.lanes import Lanes


def asked(call, *asks):
    """What each asking got, or the error that it was told."""

    async def all_of_them():
        lanes = Lanes(call)
        waiting = [asyncio.wait_for(lanes.ask(1, ask), 30) for ask in asks]
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_the_error_of_one_is_not_the_others():
    async def call(experiment, asks):
        return [ValueError(ask) if ask == "bad" else f"{experiment}: {ask}" for ask in asks]

    first, second, third = asked(call, "good", "bad", "fine")
    assert (first, third) == ("1: good", "1: fine")
    assert isinstance(second, ValueError)


@pytest.mark.parametrize("answers", [[], ["one", "two", "three"]])
def test_a_call_that_answers_too_few_or_too_many_leaves_nobody_waiting(answers):
    async def call(experiment, asks):
        return answers

    assert [str(found) for found in asked(call, "one", "two")] == [
        f"2 askings got {len(answers)} answers"
    ] * 2


def test_a_call_that_fails_fails_those_who_wait_for_it_and_no_later_ones():
    calls = []

    async def call(experiment, asks):
        calls.append(asks)
        if len(calls) == 1:
            raise ConnectionError
        return list(asks)

    async def one_after_the_other():
        lanes = Lanes(call)
        with pytest.raises(ConnectionError):
            await lanes.ask(1, "early")
        return await lanes.ask(1, "late")

    assert asyncio.run(one_after_the_other()) == "late"
