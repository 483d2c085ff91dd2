"""Write a tiny Llama model as a GGUF file with random weights, for llama.cpp's server.

Run it with a Python that has the gguf package:

    python make_tiny_gguf.py FILE
"""

import sys

import gguf
import numpy as np

LAYERS, WIDTH, HEADS, KV_HEADS, HIDDEN, CONTEXT = 2, 128, 4, 2, 256, 2048
HEAD = WIDTH // HEADS


def byte_characters() -> list[str]:
    """The printable character that byte-level BPE writes for each byte: its own where it has one, else the next from 256 on."""
    own = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(b if b in own else next(others)) for b in range(256)]


def write_tokenizer(writer: gguf.GGUFWriter) -> int:
    """One token for each byte. Returns the size of the vocabulary."""
    special = ["<pad>", "<s>", "</s>"]
    tokens = special + byte_characters()
    kinds = [gguf.TokenType.CONTROL] * len(special) + [gguf.TokenType.NORMAL] * 256
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    # The format has no empty list. Text does not hold these two bytes.
    writer.add_token_merges([f"{tokens[3]} {tokens[4]}"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    return len(tokens)


def write_model(path: str) -> None:
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny-llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    vocabulary = write_tokenizer(writer)
    writer.add_vocab_size(vocabulary)

    def weight(name: str, *shape: int, first: float | np.ndarray | None = None) -> None:
        values = rng.normal(0, 0.05, shape) if len(shape) > 1 else np.ones(shape)
        if first is not None:
            values[:, 0] = first
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))

    # The server refuses to send what is no UTF-8, so only letters may come out: the first number of every token's embedding is large
    # and the same, and weighs down whatever is no letter.
    letters = np.full(vocabulary, -10.0)
    letters[3 + ord("a") : 3 + ord("z") + 1] = 0
    weight("token_embd", vocabulary, WIDTH, first=4.0)
    weight("output_norm", WIDTH)
    weight("output", vocabulary, WIDTH, first=letters)
    for i in range(LAYERS):
        weight(f"blk.{i}.attn_norm", WIDTH)
        weight(f"blk.{i}.attn_q", HEADS * HEAD, WIDTH)
        weight(f"blk.{i}.attn_k", KV_HEADS * HEAD, WIDTH)
        weight(f"blk.{i}.attn_v", KV_HEADS * HEAD, WIDTH)
        weight(f"blk.{i}.attn_output", WIDTH, HEADS * HEAD)
        weight(f"blk.{i}.ffn_norm", WIDTH)
        weight(f"blk.{i}.ffn_gate", HIDDEN, WIDTH)
        weight(f"blk.{i}.ffn_up", HIDDEN, WIDTH)
        weight(f"blk.{i}.ffn_down", WIDTH, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_model(sys.argv[1])
