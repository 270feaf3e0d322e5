"""Whether a search has converged: a reasoned "stop, no more to be won", with its evidence.

Two witnesses are heard. *The record*: how many runs have ended since the last gain that means something,
beyond a share of what the search has won and beyond the noise of what was measured [Makarova2022]_. *The
model*, where predictions ride along with the runs: how much it still expected of the points that it chose
last [Lorenz2015]_, [Nguyen2017]_; [Ishibashi2023]_ weighs the gap between such expectations. A model that
expects nothing more halves the patience that the record needs, one that expects more doubles it.

The verdict has hysteresis: small gains add up until they mean something, the model must expect nothing of
several points in a row, and what has converged stays so until the next gain that means something.

.. [Makarova2022] A. Makarova et al. Automatic termination for hyperparameter optimization. AutoML 2022.
.. [Lorenz2015] R. Lorenz et al. Stopping criteria for boosting automatic experimental design using real-time
   fMRI with Bayesian optimization. arXiv:1511.07827.
.. [Nguyen2017] V. Nguyen et al. Regret for expected improvement over the best-observed value and stopping
   condition. ACML 2017.
.. [Ishibashi2023] H. Ishibashi et al. A stopping criterion for Bayesian optimization by the gap of expected
   minimum simple regrets. AISTATS 2023.
"""

from heliostat.convergence.verdict import Convergence, converged

__all__ = ["Convergence", "converged"]
