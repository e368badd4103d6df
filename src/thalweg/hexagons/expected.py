"""Expected annual values: what a hazard comes to in an average year, from its return periods."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import UsageError


@dataclass(frozen=True)
class Integration:
    """How the value between and beyond the known return periods is taken.

    `curve` is straight between neighbours over the logarithm of the annual probability (`log`) or
    over the probability itself (`linear`, the plain trapezoid rule). Events rarer than the longest
    return period are as large as it (`constant`) or left out (`none`). Events more frequent than
    the shortest are left out, unless `zero_at` names the return period at which the value is 0.
    """

    curve: Literal["log", "linear"] = "log"
    rare: Literal["constant", "none"] = "constant"
    zero_at: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def expected_annual(
    values: ArrayLike, return_periods: ArrayLike, integration: Integration | None = None
) -> NDArray[np.float64]:
    """The integral of a value over annual probability p = 1/T.

    `values` [..., n] at the `return_periods` [n] in years, rising; gives [...] in the values' own
    unit, per year. NaN anywhere gives NaN.

    Between neighbours with p > q and values v, w the log-linear curve has the integral
    v (p - m) + w (m - q), where m = (p - q) / ln(p/q) is the logarithmic mean of p and q; the
    linear one (v + w) (p - q) / 2. See Ward, de Moel and Aerts (2011), How are flood risk estimates
    affected by the choice of return-periods?, Nat. Hazards Earth Syst. Sci. 11, 3181-3195, on the
    curve and on what the tails do to the result.
    """
    return np.asarray(values, np.float64) @ weights(return_periods, integration or Integration())


def weights(return_periods: ArrayLike, integration: Integration) -> NDArray[np.float64]:
    """The weight of the value at each return period in the expected annual value.

    Raises `UsageError` where the periods do not rise from more than `zero_at`, or from above 0.
    """
    periods = np.atleast_1d(np.asarray(return_periods, np.float64))
    zero_at = integration.zero_at
    known = periods if zero_at is None else np.concatenate([[zero_at], periods])
    if not (known > 0).all() or not (np.diff(known) > 0).all():
        raise UsageError(
            f"return periods {', '.join(f'{period:g}' for period in known)} do not rise",
            hint="give them in years, shortest first, all longer than where the value is zero",
        )
    p, q = 1 / known[:-1], 1 / known[1:]
    middle = (p - q) / np.log(p / q) if integration.curve == "log" else (p + q) / 2
    found = np.zeros(len(known))
    found[:-1] += p - middle
    found[1:] += middle - q
    if integration.rare == "constant":
        found[-1] += 1 / known[-1]
    return found[-len(periods) :]
