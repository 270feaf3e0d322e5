"""Closed-form test functions; points are arrays of shape ``d`` in natural units, less is better.

Optima lie off the centre of the box that a problem declares: some optimizers try the centre first.

.. [Surjanovic2013] S. Surjanovic, D. Bingham. Virtual Library of Simulation Experiments, 2013.
.. [Hansen2009] N. Hansen, S. Finck, R. Ros, A. Auger. Real-Parameter Black-Box Optimization Benchmarking
   2009: Noiseless Functions Definitions. INRIA RR-6829, 2009.
.. [Deb2002] K. Deb, L. Thiele, M. Laumanns, E. Zitzler. Scalable multi-objective optimization test problems.
   CEC 2002. C2 of H. Jain, K. Deb, IEEE TEVC 18(4), 2014.
.. [Tanabe2020] R. Tanabe, H. Ishibuchi. An easy-to-use real-world multi-objective optimization problem suite.
   Applied Soft Computing 89, 2020.
.. [Coello2002] C. Coello Coello, E. Mezura Montes. Constraint-handling in genetic algorithms through the use
   of dominance-based tournament selection. Advanced Engineering Informatics 16, 2002.
.. [Lemonge2010] A. Lemonge, H. Barbosa, C. Borges, F. Silva. Constrained optimization problems in mechanical
   engineering design using a real-coded steady-state genetic algorithm. Mecánica Computacional 29, 2010.
.. [Gelbart2014] M. Gelbart, J. Snoek, R. Adams. Bayesian optimization with unknown constraints. UAI 2014.
"""

from __future__ import annotations

from math import cos, exp, pi, sqrt

import numpy as np

BRANIN_BEST = 0.39788735772973816
BRANIN_OPTIMA = np.array([[-pi, 12.275], [pi, 2.275], [3 * pi, 2.475]])
HARTMANN_BEST = -3.322368011415511
HIMMELBLAU_OPTIMA = np.array(
    [[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]]
)

HARTMANN_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def branin(x):
    """Three equal minima on [-5, 10] × [0, 15]; the largest value there is about 308 [Surjanovic2013]_."""
    bowl = x[1] - 5.1 / (4 * pi**2) * x[0] ** 2 + 5 / pi * x[0] - 6
    return float(bowl**2 + 10 * (1 - 1 / (8 * pi)) * cos(x[0]) + 10)


def hartmann(x, weights=HARTMANN_WEIGHTS, places=HARTMANN_P):
    """Hartmann6 on the unit cube [Surjanovic2013]_; its second best basin ends at -3.20."""
    inner = np.sum(HARTMANN_A * (x[:6] - places) ** 2, axis=1)
    return -float(weights @ np.exp(-inner))


def levy(x):
    """Minimum 0 at one in every coordinate [Surjanovic2013]_."""
    w = 1 + (x - 1) / 4
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(pi * w[:-1] + 1) ** 2))
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * pi * w[-1]) ** 2)
    return float(np.sin(pi * w[0]) ** 2 + middle + last)


def ackley(x):
    """Minimum 0 at zero [Surjanovic2013]_."""
    return float(-20 * np.exp(-0.2 * sqrt(np.mean(x**2))) - np.exp(np.mean(np.cos(2 * pi * x))) + 20 + np.e)


def himmelblau(x):
    """Four equal minima of 0 on [-5, 5]²."""
    return float((x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2)


def shubert(x):
    """18 equal minima of -186.7309 on [-10, 10]² [Surjanovic2013]_."""
    factors = [sum(i * cos((i + 1) * item + i) for i in range(1, 6)) for item in x]
    return float(factors[0] * factors[1])


def currin(x):
    """Currin's exponential function on the unit square [Surjanovic2013]_."""
    factor = 1.0 if x[1] <= 0 else 1.0 - exp(-1.0 / (2.0 * x[1]))
    upper = 2300 * x[0] ** 3 + 1900 * x[0] ** 2 + 2092 * x[0] + 60
    return float(factor * upper / (100 * x[0] ** 3 + 500 * x[0] ** 2 + 4 * x[0] + 20))


def dtlz2(x, centre):
    """Two objectives on the quarter circle where ``x[1:]`` equals `centre` [Deb2002]_."""
    g = float(np.sum((x[1:] - centre) ** 2))
    return np.array([(1 + g) * cos(pi / 2 * x[0]), (1 + g) * np.sin(pi / 2 * x[0])])


def c2_margin(f, radius=0.2):
    """Feasible where ≥ 0: near the ends of the quarter circle or its middle [Deb2002]_.

    The radius is subtracted once per objective, as in the code that the maximum hypervolume 0.39964 is of.
    """
    ends = min((f[0] - 1) ** 2 + f[1] ** 2 - radius**2, (f[1] - 1) ** 2 + f[0] ** 2 - radius**2)
    middle = float(np.sum((f - 1 / sqrt(2)) ** 2 - radius**2))
    return -float(min(ends, middle))


def disk_margin(x):
    """Feasible where ≥ 0: a disk in Branin's box [Gelbart2014]_."""
    return float(50 - (x[0] - 2.5) ** 2 - (x[1] - 7.5) ** 2)


def vehicle_safety(x):
    """Mass, acceleration, intrusion of a car front on [1, 3]⁵ (RE3-5-4 of [Tanabe2020]_)."""
    a, b, c, d, e = x
    mass = 1640.2823 + 2.3573285 * a + 2.3220035 * b + 4.5688768 * c + 7.7213633 * d + 4.4559504 * e
    pull = 6.5856 + 1.15 * a - 1.0427 * b + 0.9738 * c + 0.8364 * d - 0.3695 * a * d + 0.0861 * a * e
    pull += 0.3628 * b * d - 0.1106 * a**2 - 0.3437 * c**2 + 0.1764 * d**2
    dent = -0.0551 + 0.0181 * a + 0.1024 * b + 0.0421 * c - 0.0073 * a * b + 0.024 * b * c
    dent += -0.0118 * b * d - 0.0204 * c * d - 0.008 * c * e - 0.0241 * b**2 + 0.0109 * d**2
    return np.array([mass, pull, dent])


def welded_beam(x):
    """Cost, and six margins that must be ≥ 0 [Coello2002]_."""
    h, seam, t, b = x
    load, length, young, shear = 6000.0, 14.0, 30e6, 12e6
    radius = sqrt(0.25 * (seam**2 + (h + t) ** 2))
    moment = load * (length + seam / 2)
    inertia = 2 * sqrt(2) * h * seam * (seam**2 / 12 + 0.25 * (h + t) ** 2)
    buckling = 4.013 * young * t * b**3 / (6 * length**2) * (1 - 0.25 * t * sqrt(young / shear) / length)
    first, second = load / (sqrt(2) * h * seam), moment * radius / inertia
    stress = sqrt(first**2 + first * second * seam / radius + second**2)
    cost = 1.10471 * h**2 * seam + 0.04811 * t * b * (14.0 + seam)
    margins = [
        13600.0 - stress,
        30000.0 - 6 * load * length / (b * t**2),
        b - h,
        5.0 - 0.10471 * h**2 - 0.04811 * t * b * (14.0 + seam),
        0.25 - 4 * load * length**3 / (young * t**3 * b),
        buckling - load,
    ]
    return float(cost), [float(item) for item in margins]


def spring(x):
    """Weight of a tension or compression spring, and four margins that must be ≥ 0 [Coello2002]_."""
    d, w, n = x
    shear = (4 * w**2 - d * w) / (12566 * d**3 * (w - d)) if w != d else np.inf
    margins = [
        w**3 * n / (71785 * d**4) - 1,
        1 - shear - 1 / (5108 * d**2),
        140.45 * d / (n * w**2) - 1,
        1 - (d + w) / 1.5,
    ]
    return float(d**2 * w * (n + 2)), [float(np.clip(item, -100, 100)) for item in margins]


def speed_reducer(x):
    """Weight of a gear box, and eleven margins that must be ≥ 0 [Lemonge2010]_."""
    a, b, c, d, e, f, g = x
    weight = 0.7854 * a * b**2 * (3.3333 * c**2 + 14.9334 * c - 43.0934)
    weight += -1.508 * a * (f**2 + g**2) + 7.4777 * (f**3 + g**3) + 0.7854 * (d * f**2 + e * g**2)
    margins = [
        1 - 27.0 / (a * b**2 * c),
        1 - 397.5 / (a * b**2 * c**2),
        1 - 1.93 * d**3 / (b * c * f**4),
        1 - 1.93 * e**3 / (b * c * g**4),
        1100 - sqrt((745 * d / (b * c)) ** 2 + 16.9e6) / (0.1 * f**3),
        850 - sqrt((745 * e / (b * c)) ** 2 + 157.5e6) / (0.1 * g**3),
        40 - b * c,
        a / b - 5,
        12 - a / b,
        1 - (1.5 * f + 1.9) / d,
        1 - (1.1 * g + 1.9) / e,
    ]
    return float(weight), [float(item) for item in margins]


def jenatton(x):
    """Four branches, two of which share a parameter (Jenatton et al., ICML 2017), optima shifted off zero."""
    if x["x1"] == "0":
        branch, shared = ("x4", 0.1) if x["x2"] == "0" else ("x5", 0.2), "r8"
    else:
        branch, shared = ("x6", 0.3) if x["x3"] == "0" else ("x7", 0.4), "r9"
    name, floor = branch
    return (float(x[name]) - 0.37) ** 2 + floor + abs(float(x[shared]) - 0.21)
