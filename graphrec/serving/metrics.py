"""What Prometheus reads at /metrics."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from graphrec.serving.service import Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Requests by route and status, and the state of the run when it is asked for."""

    def __init__(self, snapshot: Callable[[], Snapshot | None]) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("graphrec_http_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "graphrec_http_request_seconds", "Seconds from the first byte to the last.", ("method", "route"),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._registry.register(_RunCollector(snapshot))

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request; `route` is a template, so that there are few of them."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class _RunCollector(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot | None]) -> None:
        self._snapshot = snapshot

    def describe(self) -> list[Metric]:
        """Nothing ahead of time: a run may still be loading when the registry asks."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read from the run as it is now."""
        now = self._snapshot()
        yield GaugeMetricFamily("graphrec_ready", "Whether a run is loaded.", value=float(now is not None))
        if now is None:
            return
        yield InfoMetricFamily("graphrec_model", "The run that answers.", value={"version": now.version})
        state, drift = now.state, now.model.drift
        for name, what, value in (
            ("items", "Items that are known and not removed.", len(state.items) - len(state.items.removed)),
            ("users", "Users that are known.", len(state.users)),
            ("sequence", "Number of the last change that was taken in.", now.sequence),
            ("retrain_due", "Whether so much has changed that training again is advised.", drift.is_retrain_due),
        ):
            yield GaugeMetricFamily(f"graphrec_{name}", what, value=float(value))
        changed = GaugeMetricFamily("graphrec_changed", "What changed since training, by kind.", labels=["kind"])
        for kind in ("items_added", "items_changed", "items_removed", "events", "users_added", "vectors_moved"):
            changed.add_metric([kind], float(getattr(drift, kind)))
        yield changed
