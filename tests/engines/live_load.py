"""Streams to a vLLM server of which the client knows at any time how many tokens they hold.

Every piece of an answer tells how many tokens the prompt has and how many were generated so far (`continuous_usage_stats`), so the
client can add up the tokens of the requests that run. Standard library only.
"""

import json
import random
import threading
import time
import urllib.request
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from record import MODEL, cached_tokens, stream_chunks, text

# A request that runs gets a token with every step. One that got none for so long (s) was preempted, or its tokens are computed again.
STALLED = 0.5
FOREVER = float("inf")


@dataclass(frozen=True)
class Phase:
    """A load of so many clients, each of which sends one request after the other. Lengths are in tokens."""

    name: str
    clients: int
    seconds: float
    prompt: tuple[int, int]
    output: tuple[int, int]
    prefix: int = 0  # of the prompts, the same in all


@dataclass
class Flight:
    """One request. Times are of time.time()."""

    sent: float
    prompt: int
    prefix: int
    output: int  # that it asked for
    at: list[float] = field(default_factory=list)  # when an answer told more tokens
    generated: list[int] = field(default_factory=list)  # how many it told then
    ended: float = FOREVER
    cached: int = 0  # prompt tokens found in the cache, as the last answer tells

    def next_token(self, i: int) -> float:
        """When the answer that came next after i told more, or the end was told."""
        return self.at[i] if i < len(self.at) else self.ended


class Known(NamedTuple):
    """Tokens of the requests that run, at least and at most, and how many got a token just now."""

    least: float
    most: float
    streaming: int


class Fleet:
    """The clients. Flights are appended only, by their own thread each."""

    def __init__(self, url: str, block: int) -> None:
        self.url = url
        self.block = block
        self.flights: list[Flight] = []
        self.lock = threading.Lock()

    def run(self, phase: Phase) -> tuple[float, float]:
        """Load the server, wait for the last answer; returns when it began and when no new requests were sent."""
        began = time.time()
        until = began + phase.seconds
        with ThreadPoolExecutor(phase.clients) as pool:
            for client in [pool.submit(self.client, phase, i, until) for i in range(phase.clients)]:
                client.result()
        return began, until

    def client(self, phase: Phase, number: int, until: float) -> None:
        rng = random.Random(f"{phase.name} {number} {len(self.flights)}")
        while time.time() < until:
            self.fly(phase, rng)

    def fly(self, phase: Phase, rng: random.Random) -> None:
        prefix = text(random.Random(f"prefix of {phase.name}"), phase.prefix)
        prompt = prefix + text(rng, rng.randint(*phase.prompt) - phase.prefix)
        output = rng.randint(*phase.output)
        body = {
            "model": MODEL, "prompt": prompt, "max_tokens": output, "temperature": 1.0, "ignore_eos": True, "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        }
        request = urllib.request.Request(
            self.url + "/v1/completions", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        flight = Flight(time.time(), len(prompt), phase.prefix, output)
        with self.lock:
            self.flights.append(flight)
        with urllib.request.urlopen(request, timeout=300) as response:
            for chunk in stream_chunks(response):
                usage = chunk.get("usage")
                if not usage:
                    continue
                if usage["prompt_tokens"] != flight.prompt:
                    raise RuntimeError(f"{usage['prompt_tokens']} prompt tokens of {flight.prompt}")
                if chunk["choices"] and usage["completion_tokens"] > (flight.generated[-1] if flight.generated else 0):
                    flight.generated.append(usage["completion_tokens"])
                    flight.at.append(time.time())
                flight.cached = max(flight.cached, cached_tokens(usage))
                if chunk["choices"] and chunk["choices"][0]["finish_reason"]:
                    flight.ended = time.time()
        flight.ended = min(flight.ended, time.time())
        if not flight.generated or flight.generated[-1] != output:
            raise RuntimeError(f"{flight.generated[-1:]} tokens came, {output} were asked for")

    def known(self, at: float) -> Known:
        """What the client knows of a moment. A prefix that running requests share is counted once, in whole blocks."""
        least = most = 0.0
        streaming = 0
        shared: dict[int, list[int]] = {}  # prefix: requests that surely hold it, and that may
        for flight in self.flights:
            if not flight.sent <= at < flight.ended:
                continue
            i = bisect_right(flight.at, at)
            prefix = flight.prefix // self.block * self.block
            holders = shared.setdefault(prefix, [0, 0])
            tokens = flight.prompt + (flight.generated[i - 1] if i else 0)
            most += tokens - prefix
            holders[1] += 1
            if i and flight.next_token(i) - flight.at[i - 1] < STALLED:
                least += tokens - prefix
                holders[0] += 1
                streaming += 1
        for prefix, (surely, perhaps) in shared.items():
            least += prefix * min(1, surely)
            most += prefix * min(1, perhaps)
        return Known(least, most, streaming)

    def mean(self, begin: float, end: float, step: float = 0.01) -> Known:
        """The same as the mean of a time."""
        n = max(1, round((end - begin) / step))
        looks = [self.known(begin + (k + 0.5) * (end - begin) / n) for k in range(n)]
        return Known(*(sum(v) / n for v in zip(*looks, strict=True)))
