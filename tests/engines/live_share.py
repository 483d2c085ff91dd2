"""Hold what the collector says of a real vLLM's KV cache under load against what the client and the engine know.

    live_share.py --url URL --events ENDPOINT --replay ENDPOINT --ledger FILE --collector BINARY [--record DIR] --command ...

`vllm_cpu.sh live` runs it. It starts the collector (llm_engine with KV events, kv_fragmentation, file exporter) beside the server, loads
the server in phases, and ends with status 1 where figures differ by more than the bars of live_compare.py.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from live_compare import Collected, EngineLedger, Report, Span, compare_counters, compare_share, page
from live_load import FOREVER, Fleet, Phase
from live_record import PageRecorder, write_recording

PATIENCE = 60  # s
IDLE = 6  # s after each phase, in which a window is closed and the last messages come

# A request that leaves a block.
WAKE = Phase("wake", 1, 0.01, (40, 40), (2, 2))

CONFIG = """
receivers:
  llm_engine:
    collection_interval: 500ms
    endpoints:
      - endpoint: {url}
        kv_events: {{endpoint: "{events}", replay_endpoint: "{replay}"}}
processors:
  kv_fragmentation: {{window: 5s, horizon: 1m}}
exporters:
  file: {{path: {out}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    metrics: {{receivers: [llm_engine], processors: [kv_fragmentation], exporters: [file]}}
"""


def phases(seconds: float) -> list[Phase]:
    """Loads for a pool of 199 blocks of 32 tokens. All but the last fit at any time."""
    return [
        Phase("long", 6, seconds, (100, 500), (150, 400)),
        Phase("shared prefix", 6, seconds, (600, 800), (100, 250), prefix=512),
        Phase("short", 8, seconds, (17, 60), (8, 30)),
        # Two blocks each, of which the second is never full: much more is held than is live.
        Phase("empty tails", 32, seconds, (33, 34), (24, 24)),
        Phase("preempted", 14, seconds, (200, 600), (200, 500)),
    ]


class Collector:
    def __init__(self, binary: Path, directory: Path, url: str, events: str, replay: str) -> None:
        self.out, self.log, config = directory / "collected.json", directory / "collector.log", directory / "config.yaml"
        config.write_text(CONFIG.format(url=url, events=events, replay=replay, out=self.out))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([binary.resolve(), "--config", config], stdout=log, stderr=log)

    def wait_until_known(self, fleet: Fleet) -> None:
        """Until all events since the engine's start were had by replay, for which it takes a message. On a busy machine the receiver may
        give up waiting for it."""
        for _ in range(PATIENCE):
            fleet.run(WAKE)
            time.sleep(1)
            said = Collected(self.out) if self.out.exists() else None
            if said and said.at(FOREVER, "llm.source.messages", "replay_failed"):
                raise RuntimeError("the replay of KV events failed")
            if said and said.at(FOREVER, "llm.engine.kv_cache.events.known") and said.windows():
                return
        raise RuntimeError(f"the resident blocks were not known within {PATIENCE} s")

    def stop(self) -> Collected:
        if self.process.poll() is not None:
            raise RuntimeError(f"the collector ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        self.process.terminate()
        if self.process.wait(timeout=60) != 0:
            raise RuntimeError(f"the collector ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        return Collected(self.out)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)


def run(fleet: Fleet, phase: Phase) -> Span:
    if phase.prefix:  # whoever comes first computes the prefix; requests at once would each do so
        fleet.run(Phase(phase.name, 1, 0.01, (phase.prefix + 1, phase.prefix + 1), (1, 1), phase.prefix))
        time.sleep(2)  # what is stored below a prompt within a second may as well be the rest of it
    begin, until = fleet.run(phase)
    time.sleep(IDLE)
    print(f"{phase.name}: {len(fleet.flights)} requests so far", flush=True)
    return Span(phase, begin, until, time.time(), page(fleet.url), len(fleet.flights))


def measure(args: argparse.Namespace, fleet: Fleet) -> list[tuple[Span, Collected]]:
    """Each phase with a collector of its own, which gets the events of before by replay; or all with one."""
    measured: list[tuple[Span, Collected]] = []
    todo = phases(args.seconds)
    for group in [todo] if args.changes else [[phase] for phase in todo]:
        with tempfile.TemporaryDirectory() as directory:
            collector = Collector(args.collector, Path(directory), args.url, args.events, args.replay)
            try:
                collector.wait_until_known(fleet)
                spans = [run(fleet, phase) for phase in group]
                collected = collector.stop()
            finally:
                collector.kill()
        measured += [(span, collected) for span in spans]
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="for example http://127.0.0.1:8000")
    parser.add_argument("--events", required=True, help="endpoint of the publisher, for example ipc:///path")
    parser.add_argument("--replay", required=True, help="where it answers for what was lost, for example tcp://127.0.0.1:8001")
    parser.add_argument("--ledger", type=Path, required=True, help="what scheduler/live_ledger.py writes")
    parser.add_argument("--collector", type=Path, required=True, help="the binary")
    parser.add_argument("--seconds", type=float, default=60, help="of each phase")
    parser.add_argument("--changes", action="store_true", help="one collector for all phases, which remembers the load of before")
    parser.add_argument("--record", type=Path, help="directory of a recording")
    parser.add_argument("--command", nargs=argparse.REMAINDER, default=[], help="goes to meta.json; last")
    args = parser.parse_args()
    start = page(args.url)
    fleet = Fleet(args.url, int(start["block_size"]))
    recorder = PageRecorder(args.url, args.events) if args.record else None
    try:
        measured = measure(args, fleet)
    finally:
        if recorder:
            recorder.stop()
    report, ledger, pool = Report(), EngineLedger(args.ledger), (start["num_gpu_blocks"] - 1) * start["block_size"]
    for span, collected in measured:
        print(span.phase.name)
        compare_share(report, span, fleet, ledger, collected, pool)
        compare_counters(report, span, fleet, ledger, collected)
    if recorder:
        write_recording(args.record, recorder, fleet, ledger, [span for span, _ in measured], args.command)
    print(f"{report.wrong} differences")
    sys.exit(report.wrong > 0)


if __name__ == "__main__":
    main()
