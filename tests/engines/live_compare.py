"""What the collector said, what the engine's ledger says and what the client knows, and the bars between them."""

import bisect
import json
import re
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from live_load import Fleet, Phase

# Bars on the live share in points of the pool: of a phase's mean, and of single windows, in which the collector looks ten times.
MEAN_BAR, WINDOW_BAR = 2.0, 8.0
# Share by which hits that events show may differ from the engine's: an event tells a block that was stored, not a hit.
HITS_BAR = 0.05
USES = ("live", "tail_waste", "reserved", "pinned", "cached_useful", "cached_dead", "unattributed", "free")


class Collected:
    """What the file exporter wrote: by metric and attributes, its points of time and value."""

    def __init__(self, path: Path) -> None:
        self.points: dict[tuple[str, ...], list[tuple[float, float]]] = {}
        *lines, _ = path.read_text().split("\n")  # the last one is empty, or being written
        for line in lines:
            for resource in json.loads(line)["resourceMetrics"]:
                for scope in resource["scopeMetrics"]:
                    for metric in scope["metrics"]:
                        self.take(metric)

    def take(self, metric: dict[str, Any]) -> None:
        for kind in ("sum", "gauge"):
            for point in metric.get(kind, {}).get("dataPoints", []):
                if point.get("flags"):  # no recorded value
                    continue
                attributes = (str(next(iter(a["value"].values()))) for a in point.get("attributes", []))
                value = float(point.get("asInt", point.get("asDouble", 0)))
                self.points.setdefault((metric["name"], *attributes), []).append((int(point["timeUnixNano"]) / 1e9, value))

    def at(self, time: float, *key: str) -> float:
        """The newest value until then of the points that have the name and attributes, added up over the others; 0 without any."""
        found = [v for k, v in self.points.items() if k[0] == key[0] and set(key[1:]) <= set(k[1:])]
        return sum(max((p for p in points if p[0] <= time), default=(0, 0.0))[1] for points in found)

    def windows(self) -> list[tuple[float, float, dict[str, float]]]:
        """Begin, end and the pool by use, in tokens, of each window of kv_fragmentation that follows on another."""
        by_end: dict[float, dict[str, float]] = {}
        for use in USES:
            for at, value in self.points.get(("llm.kv_cache.tokens", use), []):
                by_end.setdefault(at, {})[use] = value
        ends = sorted(by_end)
        return [(a, b, by_end[b]) for a, b in zip(ends, ends[1:], strict=False)]


class Row(NamedTuple):
    """A line of the engine's ledger; see scheduler/live_ledger.py."""

    unix_time: float
    held: int
    live: int
    hashed: int
    evicted: int
    found_again: int
    computed_again: int
    running: int


class EngineLedger:
    def __init__(self, path: Path) -> None:
        self.rows = [Row(*json.loads(line)) for line in path.read_text().splitlines()]
        self.times = [row.unix_time for row in self.rows]

    def at(self, time: float) -> Row:
        return self.rows[max(0, bisect.bisect_right(self.times, time) - 1)]

    def mean(self, field: str, begin: float, end: float) -> float:
        """Mean over a time of what stands from one line to the next."""
        low, high = bisect.bisect_right(self.times, begin), bisect.bisect_left(self.times, end)
        edges = [begin, *self.times[low:high], end]
        return sum(getattr(self.at(a), field) * (b - a) for a, b in zip(edges, edges[1:], strict=False)) / (end - begin)


def page(url: str) -> dict[str, float]:
    """The engine's own counters, without labels, added up."""
    found: dict[str, float] = {}
    with urllib.request.urlopen(url + "/metrics", timeout=60) as response:
        for name, labels, value in re.findall(r"^(vllm:\w+)(?:\{(.*)\})? (\S+)$", response.read().decode(), re.M):
            found[name] = found.get(name, 0) + float(value)
            if name == "vllm:cache_config_info":
                for key in ("num_gpu_blocks", "block_size"):
                    found[key] = float(dict(re.findall(r'(\w+)="([^"]*)"', labels))[key])
    return found


class Span(NamedTuple):
    """A phase that was run: when it began, when no more requests were sent, when all was idle, and the page and the requests then."""

    phase: Phase
    begin: float
    until: float
    idle: float
    page: dict[str, float]
    requests: int


class Report:
    def __init__(self) -> None:
        self.wrong = 0

    def that(self, what: str, ok: bool) -> None:
        self.wrong += not ok
        print(f"  {'ok' if ok else 'WRONG':5} {what}")

    def equal(self, what: str, one: float, other: float) -> None:
        self.that(f"{what}: {one:.0f}, {other:.0f}", one == other)


def compare_share(report: Report, span: Span, fleet: Fleet, ledger: EngineLedger, collected: Collected, pool: float) -> None:
    """The live share of the pool, window by window and as the mean of a phase."""
    seconds, totals, worst = 0.0, [0.0] * 6, 0.0
    windows = [w for w in collected.windows() if w[0] >= span.begin + 1 and w[1] <= span.until and "live" in w[2]]
    report.that(f"{len(windows)} windows of load", len(windows) >= 3)
    for begin, end, use in windows:
        known, block = fleet.mean(begin, end), fleet.block
        row = [100 * v / pool for v in (
            use["live"], ledger.mean("live", begin, end), known.least, known.most,
            use["live"] + use["tail_waste"], block * ledger.mean("held", begin, end),
        )]
        if abs(sum(use.values()) - pool) >= 1:
            report.that(f"the parts add up to {sum(use.values()):.1f} tokens, the pool has {pool:.0f}", ok=False)
        worst = max(worst, abs(row[0] - row[1]))
        seconds += end - begin
        totals = [t + (end - begin) * v for t, v in zip(totals, row, strict=True)]
    if not windows:
        return
    live, truth, least, most, held, true_held = (t / seconds for t in totals)
    report.that(f"live, in % of the pool: collector {live:.2f}, engine {truth:.2f}; held {held:.2f}, {true_held:.2f}",
                abs(live - truth) <= MEAN_BAR)
    report.that(f"live: collector {live:.2f}, client from {least:.2f} to {most:.2f}", least - MEAN_BAR <= live <= most + MEAN_BAR)
    report.that(f"live: engine {truth:.2f}, client from {least:.2f} to {most:.2f}", least - MEAN_BAR <= truth <= most + MEAN_BAR)
    report.that(f"live: the worst window is {worst:.2f} points from the engine's", worst <= WINDOW_BAR)


def compare_counters(report: Report, span: Span, fleet: Fleet, ledger: EngineLedger, collected: Collected) -> None:
    """Totals since the start, when all is idle."""
    def said(name: str, *attributes: str) -> float:
        return collected.at(span.idle, "llm.engine.kv_cache." + name, *attributes)

    now, flights, block = ledger.at(span.idle), fleet.flights[: span.requests], fleet.block
    stored, removed, found = said("block.stored", "device"), said("block.removed", "device"), said("reuse.tokens")
    report.equal("prompt tokens found: collector, page", said("hit.tokens", "local"), span.page["vllm:prefix_cache_hits_total"])
    report.equal("prompt tokens found: page, answers", span.page["vllm:prefix_cache_hits_total"], sum(f.cached for f in flights))
    # vLLM leaves out what preempted requests find when they come back. Events show it of those that store a block afterwards.
    hits = span.page["vllm:prefix_cache_hits_total"]
    report.that(f"tokens found: events {found:.0f}, page {hits:.0f}, and by preempted requests that came back {now.found_again}",
                (1 - HITS_BAR) * hits <= found <= (1 + HITS_BAR) * (hits + now.found_again))
    report.equal("blocks evicted: collector, engine", removed, now.evicted)
    report.equal("blocks resident: collector, engine", said("block.resident", "device"), now.hashed)
    # A request leaves a block for every full one of its prompt and output, less the last token, which has no KV.
    full = sum((f.prompt + f.output - 1) // block - f.cached // block for f in flights)
    if now.computed_again == 0:
        report.equal("blocks stored: collector, client", stored, full)
    else:
        again = (stored - full) * block
        report.that(f"tokens of blocks stored again: collector less client {again:.0f}, engine computed {now.computed_again} again",
                    0 <= now.computed_again - again <= block * span.page["vllm:num_preemptions_total"])
        waste = [collected.at(span.idle, "llm.kv_cache.waste.tokens", kind) for kind in ("thrash", "preemption")]
        print(f"        waste told: thrash {waste[0]:.0f} tokens, preemption {waste[1]:.0f}")
    report.equal("preemptions: collector, page", collected.at(span.idle, "llm.engine.preemptions"), span.page["vllm:num_preemptions_total"])
    report.equal("messages lost", collected.at(span.idle, "llm.source.lost"), 0)
