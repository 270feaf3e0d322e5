"""Search spaces through their public doors: what is legal, what is refused, and where a value lies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat import Beta, Categorical, Conditional, Double, Int, LinearConstraint, Normal
from heliostat.errors import InvalidValue
from heliostat.space import Features, Space, read_space, sample, write_space
from heliostat.testing.spaces import spaces

units = st.floats(0, 1, allow_nan=False)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_decoding_any_point_gives_legal_assignments_that_encode_to_themselves(space, seed):
    unit = np.random.default_rng(seed).random(space.d)
    values = space.decode(unit)
    assert space.check(values) == values
    again = space.decode(space.encode(values))
    assert set(again) == set(values)
    for name, value in values.items():
        if isinstance(value, float):
            assert again[name] == pytest.approx(value, rel=1e-6, abs=1e-9)
        else:
            assert again[name] == value


@settings(derandomize=True, deadline=None, max_examples=100)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_samples_are_legal_and_features_have_one_mark_per_living_category(space, seed):
    features = Features(space)
    for values in sample(space, np.random.default_rng(seed), 5):
        assert space.check(values) == values
        row = features.row(values)
        assert row.shape == (features.k,)
        assert np.all((row >= 0) & (row <= 1))
        marks = sum(isinstance(space.by_name[name], Categorical) for name in values)
        numbers = {column for _, column in features.numeric(values)}
        dead = [c.start for item, c in zip(space.dimensions, features.columns, strict=True)
                if item.name not in values and not isinstance(item, Categorical)]  # fmt: skip
        rest = [column for column in range(features.k) if column not in numbers and column not in dead]
        assert row[rest].sum() == marks


@settings(derandomize=True, deadline=None, max_examples=100)
@given(spaces())
def test_the_wire_form_gives_the_same_space_back(space):
    assert read_space(write_space(space)) == space


@pytest.mark.parametrize(
    ("item", "unit", "value"),
    [
        (Double("x", -5, 5), 0.25, -2.5),
        (Double("x", 1e-4, 1, log=True), 0.5, 1e-2),
        (Double("x", grid=[0.1, 0.2, 0.4]), 0.5, 0.2),
        (Int("n", 1, 3), 0.99, 3),
        (Int("n", 1, 3), 0.34, 2),
        (Int("n", grid=[16, 64, 32]), 0.4, 32),
        (Categorical("c", ["a", "b"]), 0.7, "b"),
    ],
)
def test_each_kind_owns_its_part_of_the_unit_interval(item, unit, value):
    assert item.from_unit(unit) == pytest.approx(value)
    assert item.from_unit(item.to_unit(value)) == pytest.approx(value)


def test_a_log_integer_gives_every_factor_the_same_chance():
    item = Int("n", 1, 1000, log=True)
    drawn = [item.from_unit(unit) for unit in np.linspace(0, 1, 10_001)]
    assert {1, 1000} <= set(drawn)
    assert np.median(drawn) == pytest.approx(22, abs=1)  # √(0.5 · 1000.5)


def test_nested_switches_bring_parameters_to_life_and_dead_ones_are_refused():
    space = Space(
        (Double("lr", 0, 1), Double("beta", 0, 1, conditions={"variant": "nesterov"})),
        (
            Conditional("optimizer", ["sgd", "adam"]),
            Conditional("variant", ["plain", "nesterov"], conditions={"optimizer": "sgd"}),
        ),
    )
    alive = {"optimizer": "sgd", "variant": "nesterov", "lr": 0.5, "beta": 0.9}
    assert space.check(alive) == alive
    with pytest.raises(InvalidValue, match=r"beta: is not alive under .*Leave it out"):
        space.check({"optimizer": "adam", "lr": 0.5, "beta": 0.9})


def test_a_categorical_parameter_can_be_a_switch():
    space = Space((Categorical("kind", ["a", "b"]), Int("n", 1, 5, conditions={"kind": ["b"]})))
    assert {tuple(values) for values in space.every()} == {("kind",), ("kind", "n")}
    assert len(list(space.every())) == 6


@pytest.mark.parametrize("threshold", [0.05, 1.0])  # shares of the cube: 2e-11 and 1/720
def test_samples_and_decoded_points_meet_linear_constraints(threshold):
    terms = {f"x{place}": 1 for place in range(6)}
    limit = LinearConstraint("less_than", threshold, terms)
    space = Space(tuple(Double(name, 0, 1) for name in terms), (), (limit,))
    rng = np.random.default_rng(0)
    points = [*sample(space, rng, 64), *(space.decode(unit) for unit in rng.random((64, 6)))]
    assert all(sum(values.values()) <= threshold * (1 + 1e-8) for values in points)
    assert len({tuple(values.values()) for values in points}) > 100


def test_integers_under_an_equality_are_found():
    both = [LinearConstraint(kind, 10, {"a": 1, "b": 2, "c": 3}) for kind in ("less_than", "greater_than")]
    space = Space(tuple(Int(name, 0, 10) for name in "abc"), (), tuple(both))
    points = sample(space, np.random.default_rng(0), 30)
    assert all(values["a"] + 2 * values["b"] + 3 * values["c"] == 10 for values in points)
    assert len({tuple(values.values()) for values in points}) > 3


def test_priors_bend_samples():
    space = Space((Double("x", 0, 1, prior=Normal(0.8, 0.05)), Double("y", 0, 10, prior=Beta(1, 9))))
    drawn = sample(space, np.random.default_rng(0), 400)
    assert np.mean([values["x"] for values in drawn]) == pytest.approx(0.8, abs=0.02)
    assert np.mean([values["y"] for values in drawn]) == pytest.approx(1.0, abs=0.15)


def x(**more):
    return {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}, **more}


def c(*values):
    return {"name": "c", "type": "categorical", "categorical_values": list(values)}


def normal(mean, scale):
    return {"name": "normal", "mean": mean, "scale": scale}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([], "parameters: at least one"),
        ([x(), x()], "names must be unique, got 'x'"),
        (
            [x(bounds={"min": 1, "max": 0})],
            r"x.bounds: min must be below max, got \(1.0, 0.0\).*Double\('x', 0.0, 1.0\)",
        ),
        ([x(bounds={"min": 0})], r"bounds.max: is required"),
        ([x(bounds={"min": 0, "max": float("nan")})], r"x.bounds.max: must be finite, got nan"),
        ([x(bounds={"min": "0", "max": 1})], r"x.bounds.min: must be a number, got '0'"),
        ([x(transformation="log")], r"a log scale needs positive values, got 0"),
        ([x(transformation="square")], r"transformation: must be one of none, log"),
        ([x(grid=[0.1, 0.2])], r"x.grid: stands in place of bounds"),
        ([{"name": "x", "type": "double", "grid": [1]}], r"at least two distinct values"),
        ([x(prior=normal(2, 1))], r"x.prior.mean: must lie in \[0.0, 1.0\], got 2"),
        ([x(prior=normal(0.5, 0))], r"must be positive"),
        ([x(default_value=2)], r"x.default_value: must lie in \[0.0, 1.0\], got 2"),
        ([x(bound={"min": 0})], r"parameters\[0\]: has no field 'bound'. Known fields"),
        ([x(type="real")], r"parameters\[0\].type: must be one of double, int, categorical"),
        ([x(conditions={"nobody": "a"})], r"'nobody' is not a switch"),
        ([x(type="int", bounds={"min": 0.5, "max": 3})], r"x.bounds.min: must be an integer"),
        ([c("a")], r"at least two categories"),
        ([c("a", "a")], r"categories must be unique"),
        ([{"name": "", "type": "double"}], r"a name must have 1 to 100 characters"),
        ([{"name": "a\x00b", "type": "double"}], r"no control character"),
    ],
)
def test_refusals_name_field_rule_value_and_remedy(parameters, message):
    with pytest.raises(InvalidValue, match=message):
        read_space({"parameters": parameters})


def test_cycles_dead_branches_and_impossible_constraints_are_refused():
    with pytest.raises(InvalidValue, match="must not form a cycle"):
        Space(
            (Double("x", 0, 1),),
            (
                Conditional("a", ["1", "2"], conditions={"b": "1"}),
                Conditional("b", ["1", "2"], conditions={"a": "1"}),
            ),
        )
    with pytest.raises(InvalidValue, match=r"must leave a parameter alive, got \{'s': 'b'\}"):
        Space((Double("x", 0, 1, conditions={"s": "a"}),), (Conditional("s", ["a", "b"]),))
    pair = (Double("x", 0, 1), Double("y", 0, 1))
    with pytest.raises(InvalidValue, match="no assignment of x, y meets all"):
        Space(pair, (), (LinearConstraint("greater_than", 3, {"x": 1, "y": 1}),))
    with pytest.raises(InvalidValue, match="no interior"):
        Space(pair, (), (LinearConstraint("greater_than", 2, {"x": 1, "y": 1}),))


def test_what_a_user_observed_may_lie_outside_the_bounds_but_not_off_the_rules():
    space = Space((Double("x", 0, 1), Int("n", grid=[1, 2])))
    assert space.check({"x": 7, "n": 2}, in_bounds=False) == {"x": 7.0, "n": 2}
    with pytest.raises(InvalidValue, match=r"assignments.x: must lie in"):
        space.check({"x": 7, "n": 2})
    with pytest.raises(InvalidValue, match=r"assignments.n: must be on the grid \[1, 2\], got 3"):
        space.check({"x": 0, "n": 3}, in_bounds=False)
    with pytest.raises(InvalidValue, match=r"assignments.n: is required"):
        space.check({"x": 0})
    with pytest.raises(InvalidValue, match=r"has no field 'm'"):
        space.check({"x": 0, "n": 1, "m": 2})


def test_points_on_constraints_of_integers_stay_where_they_are():
    """There whole numbers touch the limit, and a rounding less would be a step less."""
    numbers = [Int("i", 0, 10), Int("j", 0, 10), Double("x", 0, 1), Double("y", 0, 1)]
    lines = (
        LinearConstraint("less_than", 8, (("i", 1), ("j", 1))),
        LinearConstraint("less_than", 1, (("x", 1), ("y", 1))),
        LinearConstraint("less_than", 1.1, (("i", 0.1), ("j", 0.2))),
    )
    space = Space(tuple(numbers), linear_constraints=lines)
    for x in (0.5, 0.5 + 1e-8, 0.6):
        found = space.decode(space.encode({"i": 5, "j": 3, "x": x, "y": 0.5}))
        assert (found["i"], found["j"]) == (5, 3)
        assert found["x"] + found["y"] <= 1
        assert found["x"] == pytest.approx(x, abs=0.11)


def test_a_constraint_that_mixes_integers_and_doubles_may_be_met_exactly():
    space = Space(
        (Int("i", 0, 10), Int("j", 0, 10), Double("a", 0, 1)),
        linear_constraints=(LinearConstraint("less_than", 8, (("i", 1), ("j", 1), ("a", 1))),),
    )
    assert space.decode(space.encode({"i": 5, "j": 3, "a": 0.0})) == {"i": 5, "j": 3, "a": 0.0}
