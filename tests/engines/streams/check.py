"""Receives what streampub publishes with the libraries engines publish with: libzmq and msgspec.

Every payload must decode into the engine's structs and encode back to the same bytes; sequences must run without holes once the gaps
are replayed; and the totals must be those the publisher printed.
"""

import json
import subprocess
import sys
from collections import Counter

import msgspec
import zmq

import structs

PATIENCE_MS = 20_000
END = b"\xff" * 8


class Mismatch(Exception):
    pass


def expect(what, got, want):
    if got != want:
        raise Mismatch(f"{what}: got {got!r}, want {want!r}")


class Publisher:
    """streampub in a process of its own; its answers are JSON lines."""

    def __init__(self, binary, *flags):
        self.process = subprocess.Popen([binary, *map(str, flags)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            raise Mismatch(f"publisher ended with {self.process.wait(30)}")
        return json.loads(text)

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        expect("exit status of the publisher", self.process.wait(30), 0)


def receive(socket):
    if not socket.poll(PATIENCE_MS):
        raise Mismatch(f"nothing received for {PATIENCE_MS} ms")
    return socket.recv_multipart()


def replay(context, endpoint, start, bare, topic):
    """Messages from `start` on, asked for as a DEALER does."""
    socket = context.socket(zmq.DEALER)
    socket.connect(endpoint)
    try:
        socket.send_multipart((b"", start.to_bytes(8, "big")))
        while True:
            empty, *frames = receive(socket)
            expect("delimiter", empty, b"")
            if bare:
                frames = [topic, *frames] if frames[0] != END else [b"", *frames]
            got_topic, sequence, payload = frames
            if sequence == END:
                expect("end marker", (got_topic, payload), (b"", b""))
                return
            expect("topic of a replay", got_topic, topic)
            yield int.from_bytes(sequence, "big"), payload
    finally:
        socket.close(linger=0)


def collect(subscriber, count, dropped, topic):
    """The messages of one round by sequence, without what was dropped."""
    got = {}
    while len(got) < count - dropped:
        got_topic, sequence, payload = receive(subscriber)
        expect("topic", got_topic, topic)
        expect("length of the sequence", len(sequence), 8)
        number = int.from_bytes(sequence, "big")
        if got and number <= max(got):
            raise Mismatch(f"sequence went from {max(got)} back to {number}")
        got[number] = payload
    return got


def kv_totals(batches, mask=(1 << 64) - 1):
    total = Counter()
    xor = 0

    def low(value):
        return int.from_bytes(value[-8:], "big") if isinstance(value, bytes) else value & mask

    for batch in batches:
        for event in batch.events:
            kind = type(event).__name__
            total[{"BlockStored": "stored", "BlockRemoved": "removed", "AllBlocksCleared": "cleared"}[kind]] += 1
            for value in getattr(event, "block_hashes", []):
                total["blocks"] += 1
                xor ^= low(value)
            if kind == "BlockStored":
                total["token_sum"] += sum(event.token_ids)
                expect("tokens of the blocks", len(event.token_ids), event.block_size * len(event.block_hashes))
                if event.parent_block_hash is not None:
                    xor ^= low(event.parent_block_hash)
    return {**{k: total[k] for k in ("stored", "removed", "cleared", "blocks", "token_sum")}, "hash_xor": xor}


def pass_totals(passes):
    return {
        "wall_time": sum(p.wall_time for p in passes),
        "prefill_tokens": sum(p.scheduled_requests.sum_prefill_tokens for p in passes),
        "decode_kv_tokens": sum(p.scheduled_requests.sum_decode_kv_tokens for p in passes),
    }


def decode_all(payloads, kind):
    decoder, encoder = msgspec.msgpack.Decoder(kind), msgspec.msgpack.Encoder()
    decoded = [decoder.decode(p) for p in payloads]
    for payload, value in zip(payloads, decoded):
        expect("payload encoded again", encoder.encode(value).hex(), payload.hex())
    return decoded


def subscribe(context, endpoint, topic):
    socket = context.socket(zmq.SUB)
    socket.set_hwm(0)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.setsockopt(zmq.SUBSCRIBE, topic)
    socket.connect(endpoint)
    return socket


def check_kv(context, binary, messages, drop, kind, bare, flags):
    topic = b"kv@pod@model"
    publisher = Publisher(binary, "-messages", messages, "-drop", drop, "-topic", topic.decode(), *flags)
    at = publisher.line()
    subscriber = subscribe(context, at["endpoint"], topic[:3])
    mended = 0
    for round_number in range(2):
        if round_number == 1:
            publisher.say("restart")
        # The publisher waits for the subscription, and libzmq sends it again after a restart only while the socket is read.
        got = collect(subscriber, messages, drop, topic)
        totals = publisher.line()
        expect("messages published", (totals["messages"], totals["dropped"]), (messages, drop))
        gap = sorted(set(range(messages)) - set(got))
        expect("length of the gap", len(gap), drop)
        for number, payload in replay(context, at["replay_endpoint"], gap[0] if gap else messages, bare, topic):
            mended += number not in got
            expect(f"payload of {number} replayed", got.setdefault(number, payload), payload)
        expect("sequences", sorted(got), list(range(messages)))
        batches = decode_all([got[n] for n in range(messages)], kind)
        for name, value in kv_totals(batches).items():
            expect(name, value, totals[name])
    expect("messages mended", mended, 2 * drop)
    check_req(context, at["replay_endpoint"], bare, got[0])
    publisher.close()
    subscriber.close(linger=0)
    return {**kv_totals(batches), "mended": mended}


def check_req(context, endpoint, bare, first):
    """A REQ socket, as in vLLM's example, gets the first answer."""
    socket = context.socket(zmq.REQ)
    socket.connect(endpoint)
    socket.send((0).to_bytes(8, "big"))
    frames = receive(socket)
    expect("frames for REQ", len(frames), 2 if bare else 3)
    expect("first answer for REQ", frames[-1], first)
    socket.close(linger=0)


def check_passes(context, binary, messages, drop, kind, flags):
    publisher = Publisher(binary, "-what", "pass", "-messages", messages, "-drop", drop, *flags)
    subscriber = subscribe(context, publisher.line()["endpoint"], b"")
    got = collect(subscriber, messages, drop, b"")
    totals = publisher.line()
    middle = range(messages // 2, messages // 2 + drop)
    expect("gap", sorted(set(range(messages)) - set(got)), list(middle))
    passes = decode_all([got[n] for n in sorted(got)], kind)
    expect("counters", [p.counter_id for p in passes], sorted(got))
    expect("worker", {p.worker_id for p in passes}, {"worker-1"})
    publisher.close()
    subscriber.close(linger=0)
    if drop == 0:
        for name, value in pass_totals(passes).items():
            expect(name, value, totals[name])
    return pass_totals(passes)


KV_CASES = [
    # name, dialect, form, hashes, fields, rank, bare replay
    ("vllm map", "vllm", "map", 0, 0, True, False),
    ("vllm map bytes", "vllm", "map", 3, 0, True, False),
    ("vllm map of maps", "vllm", "map_batch", 0, 0, True, True),
    ("vllm array 11", "vllm", "array", 1, 11, True, True),
    ("vllm array 7 bytes", "vllm", "array", 3, 7, True, True),
    ("vllm array 6 signed", "vllm", "array", 2, 6, True, True),
    ("sglang map", "sglang", "map", 0, 0, True, False),
    ("sglang array 6", "sglang", "array", 0, 6, True, True),
    ("sglang array 5 no rank", "sglang", "array", 0, 5, False, True),
    ("tensorrt_llm map", "tensorrt_llm", "map", 0, 0, True, False),
]


def main():
    binary, messages = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500
    context = zmq.Context()
    print(f"libzmq {zmq.zmq_version()}, pyzmq {zmq.__version__}, msgspec {msgspec.__version__}")
    for name, dialect, form, hashes, fields, rank, bare in KV_CASES:
        kind = structs.batch_type(dialect, form, fields, rank)
        flags = ["-dialect", ["vllm", "sglang", "tensorrt_llm"].index(dialect), "-form", ["map", "array", "map_batch"].index(form)]
        flags += ["-hashes", hashes, "-fields", fields, f"-no-rank={str(not rank).lower()}", f"-bare-replay={str(bare).lower()}"]
        print(f"{name}: {check_kv(context, binary, messages, messages // 10, kind, bare, flags)}", flush=True)
    for name, dialect, scope in (("dynamo", 0, False), ("vllm", 1, True), ("sglang", 2, False)):
        for positional in (False, True):
            for drop in (0, messages // 10):
                kind = structs.pass_type(scope, positional)
                flags = ["-passes", dialect, f"-positional={str(positional).lower()}"]
                got = check_passes(context, binary, messages, drop, kind, flags)
                print(f"passes {name}, positional {positional}, dropped {drop}: {got}", flush=True)
    context.term()
    print("all equal")


if __name__ == "__main__":
    try:
        main()
    except Mismatch as mismatch:
        sys.exit(f"check.py: {mismatch}")
