"""Logistic regressions of the same inputs on many labellings at once.

Each is that of scikit-learn's `LogisticRegression`: the sum of the logarithmic losses and half the squared length of
the coefficients, without the intercept, is least. Fitted one by one, ten thousand such small problems take minutes,
nearly all of it to check inputs and to set up the solver.
"""

import numpy as np
from scipy.special import expit

STEPS = 50
"""Newton steps at most; it takes about six."""

FLAT = 1e-6
"""Largest component of the gradient at what counts as the minimum."""


def scores(inputs: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Probabilities of class 1.

    Arguments:
        inputs: (n, d) float, at most about 1 in size.
        labels: (labellings, n) int, 0 or 1, both in each of them.
        others: (m, d) float, what is judged.

    Returns:
        (labellings, m) float.
    """
    return expit(_fitted(_with_intercept(inputs), labels) @ _with_intercept(others).T)


def _with_intercept(inputs: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(inputs)), inputs])


def _fitted(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(labellings, d) coefficients by Newton's method (Hastie, Tibshirani, Friedman 2009, 4.4.1)."""
    count, width = inputs.shape
    products = (inputs[:, :, None] * inputs[:, None, :]).reshape(count, -1)
    penalty = np.ones(width)
    penalty[0] = 0
    found = np.zeros((len(labels), width))
    for _ in range(STEPS):
        guess = expit(found @ inputs.T)
        gradient = (guess - labels) @ inputs + penalty * found
        if np.abs(gradient).max() <= FLAT:
            break
        curvature = ((guess * (1 - guess)) @ products).reshape(-1, width, width) + np.diag(penalty)
        found -= np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
    return found
