"""What is counted and timed, as Prometheus reads it; each service has its own registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of a service. Labels are route templates, statuses and names of models: never an id."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "corated_requests",
            "Requests by route template and status.",
            ("route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "corated_request_seconds",
            "Time to answer by route template.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.shed = Counter("corated_shed", "Requests refused by reason.", ("reason",), registry=registry)
        self.in_flight = Gauge("corated_in_flight", "Requests that are being answered.", registry=registry)
        self.lists = Counter("corated_lists", "Lists of recommendations answered.", registry=registry)
        self.empty = Counter("corated_empty_lists", "Lists with nothing in them.", registry=registry)
        self.fallback = Counter(
            "corated_fallback_lists", "Lists with rows of another than the first model.", registry=registry
        )
        self.rows = Counter("corated_rows", "Recommended rows by source.", ("source",), registry=registry)
        self.written = Counter("corated_written", "Ratings written or taken out.", registry=registry)
        self.store_seconds = Histogram(
            "corated_store_seconds",
            "Time of reads and writes of the store.",
            buckets=_SECONDS,
            registry=registry,
        )

    def count_list(self, by_source: Mapping[str, int]) -> None:
        """Count a list of recommendations, by the source of its rows."""
        self.lists.inc()
        total = sum(by_source.values())
        if not total:
            self.empty.inc()
        first = next(iter(by_source), "")
        if total > by_source.get(first, 0):
            self.fallback.inc()
        for source, count in by_source.items():
            if count:
                self.rows.labels(source).inc(count)

    def watch(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read when it is asked for."""
        Gauge(f"corated_{name}", about, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)
