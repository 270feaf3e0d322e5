"""The undominated region in boxes: complete, without overlap; the gain over it is BoTorch's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heliostat_searchers.bayesian.boxes import boxes
from heliostat_searchers.bayesian.pareto import LogHypervolumeImprovement
from heliostat_searchers.quiet import quiet

with quiet():
    import torch
    from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
    from botorch.models.deterministic import GenericDeterministicModel
    from botorch.posteriors.gpytorch import GPyTorchPosterior
    from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning
    from gpytorch.distributions import MultitaskMultivariateNormal

WHOLE = st.integers(-2, 6)
FRONTS = st.tuples(st.integers(0, 8), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=WHOLE)
)


@given(FRONTS)
def test_each_undominated_place_is_in_one_box_and_no_other_is(front):
    m = front.shape[1]
    lower, upper = boxes(front, np.zeros(m))
    places = np.random.default_rng(0).integers(0, 7, (200, m)) + 0.5
    count = np.all((places[:, None] > lower) & (places[:, None] < upper), axis=2).sum(axis=1)
    is_dominated = np.any(np.all(front >= places[:, None], axis=2), axis=1)
    assert np.array_equal(count, np.where(is_dominated, 0, 1))


class Told(GenericDeterministicModel):
    """A model whose posterior is given."""

    def __init__(self, mean, stddev):
        super().__init__(lambda X: X, num_outputs=mean.shape[1])
        self.mean, self.stddev = torch.tensor(mean[:, None]), torch.tensor(stddev[:, None])

    def posterior(self, X, **_):
        spread = torch.diag_embed(self.stddev.reshape(len(self.mean), -1) ** 2)
        return GPyTorchPosterior(MultitaskMultivariateNormal(self.mean, spread))


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_expected_gain_is_botorchs(m):
    rng = np.random.default_rng(m)
    front, mean, stddev = (
        rng.random((20, m)),
        rng.random((30, m)),
        rng.uniform(0.2, 0.5, (30, m)),
    )  # less would cancel in theirs
    parts = FastNondominatedPartitioning(torch.zeros(m, dtype=torch.float64), torch.tensor(front))
    theirs = ExpectedHypervolumeImprovement(Told(mean, stddev), [0.0] * m, parts)
    with torch.no_grad():
        expected = theirs(torch.zeros(30, 1, m, dtype=torch.float64)).numpy()
    found, _, _ = LogHypervolumeImprovement(front, np.zeros(m))(mean, stddev)
    np.testing.assert_allclose(found, np.log(expected), atol=1e-8)


@pytest.mark.parametrize("shift", [-1e4, -50.0, 0.0, 50.0])
def test_its_slopes_live_where_the_gain_underflows(shift):
    rng = np.random.default_rng(0)
    term = LogHypervolumeImprovement(rng.random((20, 3)), np.zeros(3))
    mean, stddev = rng.random((5, 3)) + shift, rng.uniform(0.05, 0.5, (5, 3))
    value, by_mean, by_stddev = term(mean, stddev)
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(by_stddev))
    step = 1e-6 * np.eye(3)[0]
    numeric = (term(mean + step, stddev)[0] - term(mean - step, stddev)[0]) / 2e-6
    np.testing.assert_allclose(by_mean[:, 0], numeric, rtol=1e-4)
