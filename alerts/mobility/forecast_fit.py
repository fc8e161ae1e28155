"""What a car park's forecast learns once a day from its own past: weights, scores, what to publish."""

import numpy as np

from alerts.kernels.rows import Floats, Rows
from alerts.mobility.calendar import QUARTERS
from alerts.mobility.forecast_days import AHEAD, AS_NOW, DAYS, LEARNED, METHODS

SCORED_DAYS = 14
WEIGHTS = 3
BEGIN = np.array([1.0, 0.0, 0.0])
"""Weights of one that has learned nothing: now, plus what typically changes."""

_PRIOR = QUARTERS
"""How many forecasts the beginning weighs as much as: those of a day."""
_LEAST_SCORED = 2 * QUARTERS

FITTED = [
    ("fitted", "<i4"),
    ("weights", "<f8", (len(AHEAD), WEIGHTS)),
    ("method", "u1", (len(AHEAD),)),
    ("scored", "<i4", (len(AHEAD),)),
    ("mae", "<f8", (len(AHEAD), METHODS)),
    ("judged", "<i4", (len(AHEAD),)),
    ("coverage", "<f8", (len(AHEAD),)),
    ("width", "<f8", (len(AHEAD),)),
]
"""Fields of a car park: local date of the last fit; weights; the method to publish; of the SCORED_DAYS before
that date: forecasts scored and each method's mean absolute error (spaces), intervals judged, the share of
them that held what came, and their mean width (spaces)."""


def fit(days: Rows, park: np.void, today: int) -> None:
    """Learn from a car park's `days` (its rows) for the date `today`; changes `park` in place."""
    old = (days["day"] < today) & (days["day"] > today - DAYS) & (days["day"] > 0)
    recent = old & (days["day"] >= today - SCORED_DAYS)
    for ahead in range(len(AHEAD)):
        park["weights"][ahead] = _weights(days[old], ahead)
        _score(days[recent], park, ahead)
    park["fitted"] = today


def _weights(days: Rows, ahead: int) -> Floats:
    """Ridge regression towards BEGIN of what changed on what typically changes, anomaly and trend.

    w = (X'X + K)^-1 (X'y + K b), K diagonal with the prior's share of X'X: Hoerl and Kennard 1970.
    """
    x = np.stack([days["change"][:, :, ahead], days["anomaly"], days["trend"]], axis=-1).reshape(-1, WEIGHTS)
    y = days["error"][:, :, AS_NOW, ahead].reshape(-1)
    use = np.isfinite(x).all(axis=1) & np.isfinite(y)
    x, y = x[use].astype(np.float64), y[use].astype(np.float64)
    if not len(y):
        return BEGIN
    prior = np.maximum((x * x).mean(axis=0), 1.0) * _PRIOR
    found: Floats = np.linalg.solve(x.T @ x + np.diag(prior), x.T @ y + prior * BEGIN)
    return found


def _score(days: Rows, park: np.void, ahead: int) -> None:
    error = days["error"][:, :, :, ahead].reshape(-1, METHODS).astype(np.float64)
    known = np.isfinite(error).all(axis=1)
    park["scored"][ahead] = known.sum()
    park["mae"][ahead] = np.abs(error[known]).mean(axis=0) if known.any() else np.nan
    park["method"][ahead] = LEARNED
    if known.sum() >= _LEAST_SCORED:
        # the first of equals: ours, unless it was worse
        park["method"][ahead] = int(np.argmin(park["mae"][ahead]))
    low, high = days["low"][:, :, ahead].reshape(-1), days["high"][:, :, ahead].reshape(-1)
    came = (days["predicted"][:, :, AS_NOW, ahead] + days["error"][:, :, AS_NOW, ahead]).reshape(-1)
    issued = np.isfinite(low) & np.isfinite(came)
    inside = (low[issued] <= came[issued]) & (came[issued] <= high[issued])
    park["judged"][ahead] = issued.sum()
    park["coverage"][ahead] = inside.mean() if issued.any() else np.nan
    park["width"][ahead] = (high[issued] - low[issued]).mean(dtype=np.float64) if issued.any() else np.nan
