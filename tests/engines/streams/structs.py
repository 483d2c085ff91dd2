"""The structs that engines encode with msgspec, as a consumer in Python would declare them.

KV events: vllm/distributed/kv_events.py (vLLM 0.32.0 and earlier), sglang/srt/disaggregation/kv_events.py (SGLang 0.5.23 and
earlier), tensorrt_llm/_torch/pyexecutor/kv_cache_events.py (TensorRT-LLM main). Forward passes: forward_pass_metrics.py of Dynamo
1.6.1, SGLang 0.5.23 and vllm#52061.
"""

from typing import Any, Optional, Union

import msgspec

Hash = Union[int, bytes]

FIRST = [
    ("block_hashes", list[Hash]),
    ("parent_block_hash", Optional[Hash]),
    ("token_ids", list[int]),
    ("block_size", int),
    ("lora_id", Optional[int]),
]
MEDIUM = ("medium", Optional[str])
LORA_NAME = ("lora_name", Optional[str])


def optional(*names_and_types):
    return [(name, Optional[kind], None) for name, kind in names_and_types]


SPEC = optional(
    ("extra_keys", list[Optional[list[Any]]]),
    ("group_idx", int),
    ("kv_cache_spec_kind", str),
    ("kv_cache_spec_sliding_window", int),
)
STORED = {
    "vllm": FIRST + [MEDIUM, LORA_NAME] + SPEC + optional(("locality", str), ("ownership", str), ("session_id", str)),
    "sglang": FIRST + optional(("medium", str), ("cache_salt", str), ("session_id", str), ("lora_name", str)),
    "tensorrt_llm": FIRST + [MEDIUM, LORA_NAME] + SPEC + optional(("locality", str)),
}
REMOVED = {
    "vllm": [FIRST[0], MEDIUM] + optional(("group_idx", int), ("locality", str), ("ownership", str)),
    "sglang": [FIRST[0]] + optional(("medium", str)),
    "tensorrt_llm": [FIRST[0], MEDIUM] + optional(("group_idx", int), ("locality", str)),
}


def batch_type(dialect, form, fields=None, rank=True):
    """The batch of one revision: `fields` fields of BlockStored in array form, with or without the rank."""
    stored, removed = STORED[dialect], REMOVED[dialect]
    if fields:
        stored = stored[:fields]
        removed = removed[: 1 if fields < 6 else 2 if fields < 9 else 3]
    event = dict(tag=True, array_like=form == "array", omit_defaults=True, gc=False)
    kinds = (
        msgspec.defstruct("BlockStored", stored, **event),
        msgspec.defstruct("BlockRemoved", removed, **event),
        msgspec.defstruct("AllBlocksCleared", [], **event),
    )
    envelope = [("ts", float), ("events", list[Union[kinds]])]
    if rank:
        envelope += optional(("data_parallel_rank", int))
    # SGLang's batch is array-like without omit_defaults; msgspec writes both alike.
    return msgspec.defstruct("KVEventBatch", envelope, array_like=form != "map_batch", omit_defaults=dialect != "sglang", gc=False)


def pass_type(timing_scope, positional):
    form = dict(array_like=positional, gc=False, frozen=True)
    prefill = [("num_prefill_requests", int, 0), ("sum_prefill_tokens", int, 0), ("var_prefill_length", float, 0.0)]
    decode = [("num_decode_requests", int, 0), ("sum_decode_kv_tokens", int, 0), ("var_decode_kv_tokens", float, 0.0)]
    scheduled = msgspec.defstruct("Scheduled", prefill + [("sum_prefill_kv_tokens", int, 0)] + decode, **form)
    queued = msgspec.defstruct("Queued", prefill + decode, **form)
    fields = [("version", int, 1), ("worker_id", str, ""), ("dp_rank", int, 0), ("counter_id", int, 0)]
    if timing_scope:
        fields.append(("timing_scope", str, ""))
    fields += [("wall_time", float, 0.0), ("scheduled_requests", scheduled, scheduled()), ("queued_requests", queued, queued())]
    return msgspec.defstruct("ForwardPassMetrics", fields, **form)
