"""Whether two sets of times are of one kind. No mean: one slow answer among hundreds would be all of it."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def chance_to_be_later(one: Sequence[float], other: Sequence[float]) -> float:
    """How likely a time of the other set is longer than one of the first: a half, where nothing tells them apart."""
    first = sorted(one)
    smaller = sum((bisect_left(first, time) + bisect_right(first, time)) / 2 for time in other)
    return smaller / (len(one) * len(other))


def told_apart(one: Sequence[float], other: Sequence[float]) -> float:
    """By how many standard errors the sets differ (Mann and Whitney). Below 4 is chance, for one who asks once."""
    n, m = len(one), len(other)
    spread = ((n + m + 1) / (12 * n * m)) ** 0.5
    return abs(chance_to_be_later(one, other) - 0.5) / spread
