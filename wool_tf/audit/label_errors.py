"""Which labels are probably wrong, by what networks say of images that they have not seen.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021,
https://arxiv.org/abs/1911.00068), for two classes.
"""

import numpy as np


def suspects(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Indices of the images whose label is probably wrong, the surest first.

    A class is claimed with confidence where its probability is at least its mean over the images that are labelled so
    (equation 2 there). An image is a suspect if the other class alone, or the other class more than its own, is claimed
    for it with confidence: the off-diagonal cells of the confident joint. They are ranked by the probability of their
    label (its "self-confidence").

    Arguments:
        labels: (n,) of 0 and 1; both must occur.
        scores: (n,) probability of 1, by networks that were not trained on the image.
    """
    labels = np.asarray(labels)
    probabilities = np.column_stack([1 - np.asarray(scores, np.float64), scores])
    confident = np.array([probabilities[labels == label, label].mean() for label in (0, 1)])
    own, other = np.take_along_axis(probabilities, np.column_stack([labels, 1 - labels]), axis=1).T
    claims_own, claims_other = own >= confident[labels], other >= confident[1 - labels]
    found = np.flatnonzero(claims_other & (~claims_own | (other > own)))
    return found[np.argsort(own[found], kind="stable")]
