"""Keep what a server under load said and what was true meanwhile.

kv-events.frames.gz has the messages of its publisher in the form of kv_events.py. pages.jsonl.gz has a line for each page: `unix_time`,
`messages` (how many had come by then), and the page, either whole (`page`) or as the lines that differ from the page before (`changed`,
by number from 0). truth.json has a row for each page, see truth(). requests.json has prompt, completion and cached tokens of each
request in the order in which they were sent.
"""

import gzip
import json
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from kv_events import FRAMES_FILE, FrameRecorder
from live_compare import EngineLedger, Span
from live_load import Fleet
from record import versions

INTERVAL = 1.0  # s


class PageRecorder:
    def __init__(self, url: str, events: str) -> None:
        self.url = url
        self.frames = FrameRecorder(events)
        self.pages: list[tuple[float, int, str]] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        while not self.stopped.wait(INTERVAL):
            before, now = len(self.frames.messages), time.time()
            with urllib.request.urlopen(self.url + "/metrics", timeout=60) as response:
                self.pages.append((now, before, response.read().decode()))

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()
        self.frames.stop()


def delta(before: str, page: str) -> dict[str, Any]:
    old, new = before.split("\n"), page.split("\n")
    if len(old) != len(new):
        return {"page": page}
    return {"changed": {i: line for i, (was, line) in enumerate(zip(old, new, strict=True)) if was != line}}


def write_recording(
    out: Path, recorder: PageRecorder, fleet: Fleet, ledger: EngineLedger, spans: list[Span], command: list[str]
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    frames = out / FRAMES_FILE
    recorder.frames.write(frames)
    (out / (FRAMES_FILE + ".gz")).write_bytes(gzip.compress(frames.read_bytes(), mtime=0))
    frames.unlink()
    before = ""
    with gzip.GzipFile(out / "pages.jsonl.gz", "wb", mtime=0) as packed:
        for now, messages, text in recorder.pages:
            line = {"unix_time": round(now, 3), "messages": messages, **delta(before, text)}
            packed.write(json.dumps(line).encode() + b"\n")
            before = text
    (out / "truth.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in truth(recorder, fleet, ledger)) + "\n]\n")
    meta = {
        "engine": "vllm",
        "versions": versions(),
        "command": command,
        "phases": [
            {**vars(s.phase), "begin": round(s.begin, 3), "until": round(s.until, 3), "idle": round(s.idle, 3), "requests": s.requests}
            for s in spans
        ],
    }
    (out / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    requests = ("[" + ", ".join(str(n) for n in (f.prompt, f.output, f.cached)) + "]" for f in fleet.flights)
    (out / "requests.json").write_text("[\n" + ",\n".join(requests) + "\n]\n")


def truth(recorder: PageRecorder, fleet: Fleet, ledger: EngineLedger) -> list[list[float]]:
    """A row for each page and the time since the one before: mean tokens live and held by the engine's ledger, and at least and at most by
    what the client knows; and at the page's time blocks with content, blocks evicted, tokens found and computed again after preemptions."""
    rows = []
    times = [now for now, _, _ in recorder.pages]
    for begin, end in zip([times[0] - INTERVAL, *times], times, strict=False):
        known, now = fleet.mean(begin, end), ledger.at(end)
        rows.append([
            round(ledger.mean("live", begin, end), 1), round(fleet.block * ledger.mean("held", begin, end), 1), round(known.least, 1),
            round(known.most, 1), now.hashed, now.evicted, now.found_again, now.computed_again,
        ])
    return rows
