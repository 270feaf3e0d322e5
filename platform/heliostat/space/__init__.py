"""Search spaces: parameters, switches, constraints, and their encoding in the unit cube."""

from heliostat.space.constraints import LinearConstraint
from heliostat.space.features import Features
from heliostat.space.parameters import Categorical, Conditional, Double, Int, Parameter, Value
from heliostat.space.priors import Beta, Normal
from heliostat.space.sampling import sample, sample_units
from heliostat.space.space import Assignments, Space
from heliostat.space.wire import read_parameter, read_space, write_parameter, write_space

__all__ = [
    "Assignments",
    "Beta",
    "Categorical",
    "Conditional",
    "Double",
    "Features",
    "Int",
    "LinearConstraint",
    "Normal",
    "Parameter",
    "Space",
    "Value",
    "read_parameter",
    "read_space",
    "sample",
    "sample_units",
    "write_parameter",
    "write_space",
]
