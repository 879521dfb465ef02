"""How often one caller may call: a bucket of calls that fills again with time. Bounded, and forgotten when full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from comptroller.server.problem import HttpError

CALLS_BURST_MAX = 200
CALLS_PER_SECOND = 50.0
CALLERS_MAX = 4_096


@dataclass(slots=True)
class Rate:
    """Buckets by caller. `seconds` is a clock that never goes back."""

    seconds: Callable[[], float]
    burst: int = CALLS_BURST_MAX
    per_second: float = CALLS_PER_SECOND
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, caller: str) -> None:
        """One call of `caller`. Raises `HttpError` (429) where the bucket is empty."""
        now = self.seconds()
        left, at = self._buckets.pop(caller, (float(self.burst), now))
        left = min(float(self.burst), left + (now - at) * self.per_second)
        if left < 1:
            self._buckets[caller] = (left, now)
            wait = max(1, -(-int((1 - left) * 1000 / self.per_second) // 1000))
            raise HttpError(
                429,
                f"too many calls: {self.per_second:g} a second are answered, and {self.burst} at once",
                hint=f"wait {wait} s",
                headers={"retry-after": str(wait)},
            )
        self._buckets[caller] = (left - 1, now)
        while len(self._buckets) > CALLERS_MAX:
            del self._buckets[next(iter(self._buckets))]
