"""Renders the data plane's counters for Prometheus, when somebody asks and not before.

The counters themselves are plain integers elsewhere; here they get names, labels and units.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from llmgateway.domain.usage import PICO
from llmgateway.engine.health import Health
from llmgateway.engine.meters import Histogram, Meters, Route

_ROUTE = ("provider", "model")
Gauges = Callable[[], dict[str, float]]


def renderer(meters: Meters, *, gauges: Gauges, health: Health | None = None) -> Callable[[], bytes]:
    """A function that gives the whole page. `gauges`: further names (without prefix) and values at this moment."""
    registry = CollectorRegistry()
    registry.register(_MetersCollector(meters, gauges))
    if health is not None:
        registry.register(_HealthCollector(health))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


class _MetersCollector(Collector):
    def __init__(self, meters: Meters, gauges: Gauges) -> None:
        self._meters = meters
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        meters = self._meters
        requests = CounterMetricFamily(
            "llmgateway_requests", "Exchanges, by outcome.", labels=(*_ROUTE, "outcome", "status")
        )
        for (provider, model, outcome, status), count in meters.requests.items():
            requests.add_metric((provider, model, outcome, str(status)), count)
        yield requests
        attempts = CounterMetricFamily(
            "llmgateway_attempts", "Requests to providers, by how they ended.", labels=(*_ROUTE, "error_type")
        )
        for (provider, model, error_type), count in meters.attempts.items():
            attempts.add_metric((provider, model, error_type), count)
        yield attempts
        yield from _routes(meters.routes)
        overhead = HistogramMetricFamily("llmgateway_overhead_seconds", "Our own time until an answer begins.")
        overhead.add_metric((), *_histogram(meters.overhead))
        yield overhead
        yield CounterMetricFamily(
            "llmgateway_unauthenticated_requests", "Requests without a valid key.", value=meters.unauthenticated
        )
        overloaded = meters.overloaded
        yield CounterMetricFamily("llmgateway_overloaded_requests", "Requests refused with 503.", value=overloaded)
        yield GaugeMetricFamily("llmgateway_requests_in_flight", "Chat requests under way.", value=meters.in_flight)
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(f"llmgateway_{name}", name.replace("_", " ").capitalize() + ".", value=value)


class _HealthCollector(Collector):
    """What routing goes by: the figures of each offer, and who rests. Credentials are counted, never named."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterable[Metric]:
        uptime = GaugeMetricFamily("llmgateway_uptime_ratio", "Recent uptime, as routing sees it.", labels=_ROUTE)
        latency = GaugeMetricFamily(
            "llmgateway_recent_time_to_first_token_seconds", "Of recent streams, weighted.", labels=_ROUTE
        )
        throughput = GaugeMetricFamily(
            "llmgateway_recent_output_tokens_per_second", "Of recent answers, weighted.", labels=_ROUTE
        )
        attempts = GaugeMetricFamily("llmgateway_recent_attempts", "Attempts that these rest on.", labels=_ROUTE)
        for key, figures in self._health.offers():
            provider, _, model = key.partition("/")
            uptime.add_metric((provider, model), figures.uptime / 100)
            latency.add_metric((provider, model), figures.latency / 1000)
            throughput.add_metric((provider, model), figures.throughput)
            attempts.add_metric((provider, model), figures.attempts)
        credentials = GaugeMetricFamily(
            "llmgateway_benched_credentials",
            "Credentials that rest, for a model or (model empty) for all.",
            labels=_ROUTE,
        )
        offers = GaugeMetricFamily("llmgateway_benched_offers", "Models that rest at a provider.", labels=_ROUTE)
        for (provider, model, one), count in Counter(self._health.resting()).items():
            (credentials if one else offers).add_metric((provider, model), count)
        return (uptime, latency, throughput, attempts, credentials, offers)


def _routes(routes: dict[tuple[str, str], Route]) -> Iterable[Metric]:
    tokens = CounterMetricFamily("llmgateway_tokens", "Tokens, by kind.", labels=(*_ROUTE, "kind"))
    cost = CounterMetricFamily("llmgateway_cost_usd", "What the answers cost.", labels=_ROUTE)
    duration = HistogramMetricFamily("llmgateway_request_duration_seconds", "From head to last byte.", labels=_ROUTE)
    ttft = HistogramMetricFamily("llmgateway_time_to_first_token_seconds", "From head to first content.", labels=_ROUTE)
    for labels, route in routes.items():
        tokens.add_metric((*labels, "prompt"), route.prompt_tokens)
        tokens.add_metric((*labels, "completion"), route.completion_tokens)
        tokens.add_metric((*labels, "cached"), route.cached_tokens)
        cost.add_metric(labels, route.cost_picousd / PICO)
        duration.add_metric(labels, *_histogram(route.duration))
        ttft.add_metric(labels, *_histogram(route.ttft))
    return (tokens, cost, duration, ttft)


def _histogram(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    total = 0.0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, histogram.bounds_s), "+Inf"), histogram.buckets, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets, histogram.sum_us / 1_000_000
