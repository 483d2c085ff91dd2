"""A scheduler for vLLM that keeps a ledger of its KV pool: `vllm serve --scheduler-cls live_ledger.Ledger`, with this folder in
PYTHONPATH and the name of the ledger's file in LIVE_LEDGER.

It decides nothing: each step of vLLM's own scheduler is followed by a line with the time and what FIELDS names.
"""

import json
import os
import time
from typing import Any

from vllm.v1.core.sched.async_scheduler import AsyncScheduler

FIELDS = (
    "unix_time",
    "held",  # blocks that requests hold
    "live",  # tokens in them; a block that several requests share counts once
    "hashed",  # blocks with content that can be found, held or not
    "evicted",  # such blocks that lost their content, so far
    "found_again",  # tokens that preempted requests found when they came back, so far
    "computed_again",  # tokens that they had to compute, so far
    "running",  # requests
)


class Ledger(AsyncScheduler):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ledger = open(os.environ["LIVE_LEDGER"], "w", buffering=1)  # noqa: SIM115, it lives as long as the engine
        self.evicted = self.found_again = self.computed_again = 0
        manager = self.kv_cache_manager
        evict, record = manager.block_pool._maybe_evict_cached_block, manager.record_prefix_cache_stats

        def counting_evict(block: Any) -> bool:
            gone = evict(block)
            self.evicted += gone
            return gone

        def counting_record(request: Any, num_hits: int) -> None:
            if request.num_preemptions > 0:
                self.found_again += num_hits
                self.computed_again += request.num_tokens - num_hits
            record(request, num_hits)

        manager.block_pool._maybe_evict_cached_block = counting_evict
        manager.record_prefix_cache_stats = counting_record

    def schedule(self, *args: Any, **kwargs: Any) -> Any:
        output = super().schedule(*args, **kwargs)
        self.write()
        return output

    def update_from_output(self, *args: Any, **kwargs: Any) -> Any:
        output = super().update_from_output(*args, **kwargs)
        self.write()
        return output

    def write(self) -> None:
        manager = self.kv_cache_manager
        tokens: dict[int, int] = {}  # of each block
        for request in self.running:
            left = request.num_computed_tokens
            for block in manager.get_block_ids(request.request_id)[0]:
                tokens[block] = max(tokens.get(block, 0), min(max(0, left), self.block_size))
                left -= self.block_size
        blocks = [b for b in manager.block_pool.blocks if not b.is_null]
        row = (
            round(time.time(), 4), sum(b.ref_cnt > 0 for b in blocks), sum(tokens.values()), sum(b.block_hash is not None for b in blocks),
            self.evicted, self.found_again, self.computed_again, len(self.running),
        )
        self.ledger.write(json.dumps(row) + "\n")
