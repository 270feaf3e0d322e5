"""Five functions after BBOB's definitions [Hansen2009]_ (see :mod:`quality_formulas`), any instances of each.

Rotations, optima and peaks are drawn by our own generator, so values are not those of the BBOB programs; the
shapes are. Each function has its minimum 0 at a place drawn from [-4, 4]ᵈ; the box is [-5, 5]ᵈ.
"""

from __future__ import annotations

from functools import cache
from math import pi, sqrt

import numpy as np

BOX = 5.0


class Landscape:
    """What all functions of one instance share.

    Args:
        d: Number of dimensions.
        instance: Seed of rotations and optimum.
    """

    def __init__(self, d, instance):
        self.d = d
        self.rng = np.random.default_rng([d, instance, 2009])
        self.optimum = self.rng.uniform(-4, 4, d)
        self.first, self.second = rotation(self.rng, d), rotation(self.rng, d)
        self.steps = np.arange(d) / (d - 1)

    def penalty(self, x):
        return float(np.sum(np.maximum(0, np.abs(x) - BOX) ** 2))


def rotation(rng, d):
    """A random orthogonal matrix, uniform over all (QR of normal numbers with the signs of R)."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def oscillated(x):
    """T_osz: breaks symmetry and regularity without moving the zero."""
    rough = np.where(x == 0, 0.0, np.log(np.abs(np.where(x == 0, 1.0, x))))
    high, low = np.where(x > 0, 10.0, 5.5), np.where(x > 0, 7.9, 3.1)
    return np.sign(x) * np.exp(rough + 0.049 * (np.sin(high * rough) + np.sin(low * rough))) * (x != 0)


def skewed(x, beta, steps):
    """T_asy: stretches the positive half of each axis."""
    positive = np.maximum(x, 0.0)
    return np.where(x > 0, positive ** (1 + beta * steps * np.sqrt(positive)), x)


class Rosenbrock(Landscape):
    """f8: a long bent valley."""

    def __call__(self, x):
        z = max(1.0, sqrt(self.d) / 8) * (x - self.optimum) + 1
        return float(np.sum(100 * (z[:-1] ** 2 - z[1:]) ** 2 + (z[:-1] - 1) ** 2))


class Rastrigin(Landscape):
    """f15: rotated, skewed, about 10ᵈ local minima on a bowl."""

    def __call__(self, x):
        bent = skewed(oscillated(self.first @ (x - self.optimum)), 0.2, self.steps)
        z = self.first @ (10 ** (self.steps / 2) * (self.second @ bent))
        return float(10 * (self.d - np.sum(np.cos(2 * pi * z))) + np.sum(z**2))


class Schwefel(Landscape):
    """f20: the best basin is far from the second best, in a corner of signs."""

    EDGE = 4.2096874633

    def __init__(self, d, instance):
        super().__init__(d, instance)
        self.signs = self.rng.choice([-1.0, 1.0], d)
        self.optimum = self.EDGE / 2 * self.signs

    def __call__(self, x):
        y = 2 * self.signs * x
        z = y.copy()
        z[1:] += 0.25 * (y[:-1] - self.EDGE)
        z = 100 * (10 ** (self.steps / 2) * (z - self.EDGE) + self.EDGE)
        inside = -np.sum(z * np.sin(np.sqrt(np.abs(z)))) / (100 * self.d)
        return float(inside + 4.189828872724339 + 100 * self.penalty(z / 100))


class Peaks(Landscape):
    """f21: 101 random peaks of different heights and shapes (Gallagher)."""

    def __init__(self, d, instance):
        super().__init__(d, instance)
        self.heights = np.append(10.0, 1.1 + 8 * np.arange(100) / 99)
        shapes = np.append(1000.0, 1000 ** (2 * self.rng.permutation(100) / 99))
        self.scales = np.array(
            [self.rng.permutation(shape ** (self.steps / 2)) / shape**0.25 for shape in shapes]
        )
        self.places = np.vstack([self.optimum, self.rng.uniform(-5, 5, (100, d))])

    def __call__(self, x):
        turned = (x - self.places) @ self.first.T
        values = self.heights * np.exp(-np.sum(self.scales * turned**2, axis=1) / (2 * self.d))
        rough = oscillated(np.array([10 - values.max()]))[0]
        return float(rough**2 + self.penalty(x))


class Katsuura(Landscape):
    """f23: continuous, nowhere differentiable, more than 10ᵈ minima."""

    def __call__(self, x):
        z = self.second @ (10 ** (self.steps) * (self.first @ (x - self.optimum)))
        powers = 2.0 ** np.arange(1, 33)
        rough = np.sum(np.abs(powers * z[:, None] - np.round(powers * z[:, None])) / powers, axis=1)
        product = np.prod((1 + np.arange(1, self.d + 1) * rough) ** (10 / self.d**1.2))
        return float(10 / self.d**2 * (product - 1) + self.penalty(x))


NAMES = {"f8": Rosenbrock, "f15": Rastrigin, "f20": Schwefel, "f21": Peaks, "f23": Katsuura}


@cache
def landscape(name, d, instance):
    """One instance of a function by its BBOB name."""
    return NAMES[name](d, instance)
