#!/usr/bin/env python3
"""A llama2.c checkpoint (legacy .bin) as a Hugging Face directory.

    llama2c_to_hf.py MODEL.bin OUT_DIR [--tokenizer TOKENIZER.model]

Writes OUT_DIR/config.json and OUT_DIR/model.safetensors (f32), and copies the SentencePiece tokenizer. The rows of
query and key projections change from llama2.c's interleaved rotary embedding to Hugging Face's two halves of a head.
"""
import argparse
import json
import math
import pathlib
import shutil
import struct
import sys

FLOAT_BYTES = 4
HEADER = struct.Struct("<7i")  # dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size (negative: own head), seq_len


class Reader:
    """Takes f32 matrices from the file, front to back."""

    def __init__(self, data):
        self.data, self.at = memoryview(data), 0

    def take(self, *shape):
        size = math.prod(shape) * FLOAT_BYTES
        if size > len(self.data) - self.at:
            sys.exit(f"the file ends at {len(self.data)}, before the {size} bytes of a {list(shape)} tensor at {self.at}")
        self.at += size
        return Tensor(shape, self.data[self.at - size:self.at])

    def take_layers(self, layers, *shape):
        """One tensor for each layer: the file keeps those of one kind together."""
        return [self.take(*shape) for _ in range(layers)]


class Tensor:
    def __init__(self, shape, data):
        self.shape, self.data = list(shape), data

    def halved_heads(self, num_heads):
        """Rows [half][i] of each head out of rows [i][half]."""
        rows, cols = self.shape
        row_bytes, head_rows = cols * FLOAT_BYTES, rows // num_heads
        half = head_rows // 2
        order = [h * head_rows + 2 * i + part for h in range(num_heads) for part in range(2) for i in range(half)]
        return Tensor(self.shape, b"".join(self.data[r * row_bytes:(r + 1) * row_bytes] for r in order))


def read_checkpoint(path):
    data = path.read_bytes()
    if len(data) < HEADER.size:
        sys.exit(f"{path}: has {len(data)} bytes, less than a header of {HEADER.size}")
    dim, hidden, layers, heads, kv_heads, vocab, context = HEADER.unpack_from(data)
    tied, vocab = vocab > 0, abs(vocab)
    if min(dim, hidden, layers, heads, kv_heads, vocab, context) < 1 or dim % heads or heads % kv_heads or dim // heads % 2:
        sys.exit(f"{path}: is no llama2.c checkpoint: its header says {HEADER.unpack_from(data)}")
    head_dim = dim // heads
    r = Reader(data[HEADER.size:])

    tensors = {"model.embed_tokens.weight": r.take(vocab, dim)}
    per_layer = [
        ("input_layernorm", r.take_layers(layers, dim)),
        ("self_attn.q_proj", [t.halved_heads(heads) for t in r.take_layers(layers, dim, dim)]),
        ("self_attn.k_proj", [t.halved_heads(kv_heads) for t in r.take_layers(layers, kv_heads * head_dim, dim)]),
        ("self_attn.v_proj", r.take_layers(layers, kv_heads * head_dim, dim)),
        ("self_attn.o_proj", r.take_layers(layers, dim, dim)),
        ("post_attention_layernorm", r.take_layers(layers, dim)),
        ("mlp.gate_proj", r.take_layers(layers, hidden, dim)),
        ("mlp.down_proj", r.take_layers(layers, dim, hidden)),
        ("mlp.up_proj", r.take_layers(layers, hidden, dim)),
    ]
    for name, of_layers in per_layer:
        for i, tensor in enumerate(of_layers):
            tensors[f"model.layers.{i}.{name}.weight"] = tensor
    tensors["model.norm.weight"] = r.take(dim)
    r.take(context, head_dim)  # cosines and sines, which follow from the config
    if not tied:
        tensors["lm_head.weight"] = r.take(vocab, dim)
    if r.at != len(r.data):
        sys.exit(f"{path}: {len(r.data) - r.at} bytes follow behind the last tensor")

    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocab, "hidden_size": dim,
        "intermediate_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "max_position_embeddings": context, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": tied, "torch_dtype": "float32",
        "bos_token_id": 1, "eos_token_id": [1, 2],  # llama2.c ends a story at the next BOS
    }
    return config, tensors


def write_safetensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": "F32", "shape": t.shape, "data_offsets": [offset, offset + len(t.data)]}
        offset += len(t.data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            f.write(t.data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path)
    args = parser.parse_args()
    config, tensors = read_checkpoint(args.model)
    args.out.mkdir(parents=True, exist_ok=True)
    write_safetensors(args.out / "model.safetensors", tensors)
    (args.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if args.tokenizer:
        shutil.copy(args.tokenizer, args.out / "tokenizer.model")
    print(f"{args.out}: {sum(math.prod(t.shape) for t in tensors.values())} weights in {len(tensors)} tensors")


if __name__ == "__main__":
    main()
