"""The closed-form GP: gradients against finite differences, parity with BoTorch."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from heliostat_searchers.bayesian.acquisition import (
    Acquisition,
    LogAnswer,
    LogExpectedImprovement,
    LogProbability,
    log_improvement,
)
from heliostat_searchers.bayesian.fits import hyperparameters
from heliostat_searchers.bayesian.fitting import Priors, fit, log_posterior
from heliostat_searchers.bayesian.gp import GP, Data, Hyperparameters
from heliostat_searchers.bayesian.kernels import FRONT_RBF, MATERN, RBF, Kernel
from heliostat_searchers.bayesian.pareto import LogHypervolumeImprovement, reference_point
from heliostat_searchers.bayesian.trend import Trend
from heliostat_searchers.quiet import quiet

with quiet():
    import torch
    from botorch.acquisition import LogExpectedImprovement as TheirImprovement
    from botorch.acquisition.analytic import LogConstrainedExpectedImprovement, _log_ei_helper
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
    from gpytorch.mlls import ExactMarginalLogLikelihood

BOTORCH_RBF = Kernel("RBF", 1e-4, RBF.shape)
BOTORCH_MATERN = Kernel("Matérn-5/2", 1e-4, MATERN.shape)


def some_data(n=30, k=4, known_noise=False):
    rng = np.random.default_rng(3)
    points = rng.random((n, k))
    values = np.sin(5 * points[:, 0]) + points[:, 1] ** 2 + 0.1 * rng.standard_normal(n)
    noise = np.full(n, np.nan)
    if known_noise:
        noise[::2] = 0.02
    return Data(points, (values - values.mean()) / values.std(ddof=1), noise)


@pytest.mark.parametrize("kernel", [MATERN, RBF], ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("known_noise", [False, True])
def test_gradient_of_the_fit(kernel, known_noise):
    data = some_data(known_noise=known_noise)
    owners = np.array([0, 1, 2, 2])
    theta = np.log([0.4, 0.9, 2.0, 0.03])
    _, gradient = log_posterior(theta, data, owners, kernel)
    numeric = approx_fprime(theta, lambda x: log_posterior(x, data, owners, kernel)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, atol=2e-5)


@pytest.mark.parametrize("kernel", [MATERN, RBF], ids=lambda kernel: kernel.name)
def test_gradients_of_the_posterior(kernel):
    model = GP(some_data(), Hyperparameters(kernel, np.array([0.4, 0.9, 2.0, 1.0]), 0.03))
    point = np.array([[0.3, 0.2, 0.9, 0.5]])
    mean, variance, mean_slope, variance_slope = model.slopes(point)
    np.testing.assert_allclose([mean, variance], model.at(point), atol=1e-12)
    for place, slope in enumerate((mean_slope, variance_slope)):
        numeric = approx_fprime(point[0], lambda x, place=place: model.at(x[None])[place][0], 1e-6)
        np.testing.assert_allclose(slope[0], numeric, atol=2e-5)


def on_a_trend():
    """Data of which a source has seen something, and a posterior that leaves less of it to the kernel."""
    source = GP(some_data(n=20), Hyperparameters(MATERN, np.array([0.5, 0.7, 1.5, 1.0]), 0.05))
    return replace(some_data(), trend=Trend((source, source)))


def test_gradient_of_the_fit_on_a_trend():
    data, owners, theta = on_a_trend(), np.array([0, 1, 2, 2]), np.log([0.4, 0.9, 2.0, 0.03])
    _, gradient = log_posterior(theta, data, owners, MATERN, 0.3)
    numeric = approx_fprime(theta, lambda x: log_posterior(x, data, owners, MATERN, 0.3)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, atol=2e-5)


def test_gradients_of_the_posterior_on_a_trend():
    hyper = Hyperparameters(MATERN, np.array([0.4, 0.9, 2.0, 1.0]), 0.03, amplitude=0.3)
    model, point = GP(on_a_trend(), hyper), np.array([[0.3, 0.2, 0.9, 0.5]])
    for place, slope in enumerate(model.slopes(point)[2:]):
        numeric = approx_fprime(point[0], lambda x, place=place: model.at(x[None])[place][0], 1e-6)
        np.testing.assert_allclose(slope[0], numeric, atol=2e-5)


def test_a_remembered_fit_is_one_of_the_same_kernels():
    data, owners = some_data(), np.arange(4)
    found = [hyperparameters(data, owners, (kernel,)).kernel for kernel in (RBF, FRONT_RBF, RBF)]
    assert found == [RBF, FRONT_RBF, RBF]


def test_gradient_of_the_acquisition():
    first, second = (
        GP(some_data(), Hyperparameters(kernel, np.array([0.4, 0.9, 2.0, 1.0]), 0.03))
        for kernel in (MATERN, RBF)
    )
    terms = (LogExpectedImprovement(1.5), LogAnswer(0.3), LogProbability(0.4, 1))
    acquisition = Acquisition((first, second), terms)
    point = np.array([[0.3, 0.2, 0.9, 0.5]])
    value, slope = acquisition.slopes(point)
    np.testing.assert_allclose(value, acquisition.values(point))
    numeric = approx_fprime(point[0], lambda x: acquisition.values(x[None])[0], 1e-6)
    np.testing.assert_allclose(slope[0], numeric, rtol=1e-3)


def test_gradient_of_the_hypervolume_improvement():
    first, second = (
        GP(some_data(), Hyperparameters(kernel, np.array([0.4, 0.9, 2.0, 1.0]), 0.03))
        for kernel in (MATERN, RBF)
    )
    front = np.array([[0.5, -0.2], [0.1, 0.4]])
    term = LogHypervolumeImprovement(front, reference_point(front, (None, None)))
    acquisition = Acquisition((first, second), (term,))
    point = np.array([[0.3, 0.2, 0.9, 0.5]])
    numeric = approx_fprime(point[0], lambda x: acquisition.values(x[None])[0], 1e-6)
    np.testing.assert_allclose(acquisition.slopes(point)[1][0], numeric, rtol=1e-3, atol=1e-4)


def test_leave_one_out_is_what_a_fit_without_the_row_predicts():
    hyper = Hyperparameters(MATERN, np.array([0.4, 0.9, 2.0, 1.0]), 0.03)
    data = some_data()
    mean, variance = GP(data, hyper).left_out
    rest = GP(data.part(np.arange(1, data.n)), hyper)
    alone = rest.at(data.points[:1])
    assert variance[0] == pytest.approx(alone[1][0] + hyper.noise, rel=1e-9)
    assert mean[0] == pytest.approx(alone[0][0], abs=0.05)  # the constant mean moves a little


@pytest.mark.parametrize("u", [-1e8, -1e6, -50.0, -1.0 - 1e-9, -1.0, 0.0, 3.0, 40.0])
def test_log_improvement_is_botorchs(u):
    theirs = _log_ei_helper(torch.tensor([u], dtype=torch.float64)).item()
    assert log_improvement(np.array([u]))[0] == pytest.approx(theirs, rel=1e-9)


@pytest.fixture(
    scope="module",
    params=[(BOTORCH_RBF, 30, 4), (BOTORCH_MATERN, 30, 4), (BOTORCH_RBF, 70, 8), (BOTORCH_MATERN, 70, 8)],
    ids=lambda param: f"{param[0].name}, n = {param[1]}, d = {param[2]}",
)
def botorch_model(request):
    """BoTorch's model with our hyper-parameters loaded, and ours; its default is the first."""
    kernel, n, d = request.param
    data = some_data(n, d)
    hyper = fit(data, np.arange(d), (kernel,), Priors(noise=(-4.0, 1.0)))
    ours = GP(data, hyper)
    theirs = unfitted(data.points, data.values, kernel)
    load(theirs, hyper, ours._constant)
    return ours, theirs


def unfitted(points, values, kernel):
    covariance = get_covar_module_with_dim_scaled_prior(
        ard_num_dims=points.shape[1], use_rbf_kernel=kernel.name == "RBF"
    )
    return SingleTaskGP(
        torch.as_tensor(points),
        torch.as_tensor(values)[:, None],
        covar_module=covariance,
        outcome_transform=None,
    )


def load(theirs, hyper, constant):
    theirs.covar_module.lengthscale = torch.as_tensor(hyper.lengths)
    theirs.likelihood.noise = torch.tensor([hyper.noise], dtype=torch.float64)
    theirs.mean_module.constant.data = torch.tensor(constant, dtype=torch.float64)


def test_posterior_is_botorchs(botorch_model):
    ours, theirs = botorch_model
    points = np.random.default_rng(0).random((50, ours.data.points.shape[1]))
    with torch.no_grad():
        posterior = theirs.posterior(torch.as_tensor(points))
    mean, variance = ours.at(points)
    np.testing.assert_allclose(mean, posterior.mean[:, 0].numpy(), atol=1e-6)
    np.testing.assert_allclose(variance, posterior.variance[:, 0].numpy(), atol=1e-6)


def test_log_expected_improvement_is_botorchs(botorch_model):
    ours, theirs = botorch_model
    points = np.random.default_rng(0).random((50, ours.data.points.shape[1]))
    with torch.no_grad():
        wanted = TheirImprovement(theirs, best_f=1.2)(torch.as_tensor(points)[:, None]).numpy()
    found = Acquisition((ours,), (LogExpectedImprovement(1.2),)).values(points)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_log_improvement_under_a_guardrail_is_botorchs(botorch_model):
    ours, theirs = botorch_model
    points = np.random.default_rng(0).random((50, ours.data.points.shape[1]))
    limited = LogConstrainedExpectedImprovement(
        ModelListGP(theirs, theirs), best_f=1.2, objective_index=0, constraints={1: (0.4, None)}
    )
    with torch.no_grad():
        wanted = limited(torch.as_tensor(points)[:, None]).numpy()
    found = Acquisition((ours, ours), (LogExpectedImprovement(1.2), LogProbability(0.4, 1))).values(points)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_map_is_botorchs(botorch_model):
    ours, theirs = botorch_model
    before = ExactMarginalLogLikelihood(theirs.likelihood, theirs)
    theirs.train()
    value = before(theirs(*theirs.train_inputs), theirs.train_targets).item()
    fresh = unfitted(ours.data.points, ours.data.values, ours.hyper.kernel)
    after = ExactMarginalLogLikelihood(fresh.likelihood, fresh)
    fit_gpytorch_mll(after)
    fresh.train()
    best = after(fresh(*fresh.train_inputs), fresh.train_targets).item()
    theirs.eval()
    assert -1e-4 < value - best < 1e-3  # theirs may stop a little earlier
    theirs_lengths = fresh.covar_module.lengthscale.detach().numpy()[0]
    matters = ours.hyper.lengths < 3  # beyond, a column is nearly flat, and so is the likelihood
    np.testing.assert_allclose(np.log(ours.hyper.lengths[matters]), np.log(theirs_lengths[matters]), atol=0.1)


def test_given_noise_is_believed():
    rng = np.random.default_rng(0)
    points = rng.random((12, 1))
    values = np.sin(6 * points[:, 0])
    exact = GP(Data(points, values, np.zeros(12)), Hyperparameters(MATERN, np.array([0.5]), 0.5))
    noisy = GP(Data(points, values, np.full(12, 1.0)), Hyperparameters(MATERN, np.array([0.5]), 1e-6))
    assert np.abs(exact.at(points)[0] - values).max() < 1e-3
    assert np.abs(noisy.at(points)[0] - values).max() > 0.05
