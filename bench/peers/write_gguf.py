#!/usr/bin/env python3
"""Writes the weights of a Llama checkpoint (config.json and safetensors) as GGUF, for peers.

    write_gguf.py MODEL_DIR OUT.gguf --type BF16|Q8_0|Q4_0

Needs the packages gguf and numpy. Every matrix, the embedding too, gets the one type, so that tern and
the peer read the same bytes; norms are F32. There is no vocabulary: the file is for speed and logits.
"""
import argparse
import json
import math
import pathlib
import sys

import gguf
import numpy as np


def read_tensors(directory):
    """Yields (name, shape, uint16 or float32 array) of every tensor; bf16 comes as its bits."""
    for path in sorted(directory.glob("*.safetensors")):
        data = np.memmap(path, dtype=np.uint8, mode="r")
        size = int(data[:8].view(np.uint64)[0])
        header = json.loads(bytes(data[8:8 + size]))
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] != "BF16":
                sys.exit(f"{path}: tensor {name} is {entry['dtype']}, must be BF16")
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            yield name, data[begin:end].view(np.uint16).reshape(entry["shape"])


def to_f32(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def pair_rows(w, heads):
    """Hugging Face rotates (i, i + d/2), llama.cpp (2i, 2i + 1): the rows of q and k change places."""
    rows, cols = w.shape
    return w.reshape(heads, 2, rows // heads // 2, cols).swapaxes(1, 2).reshape(rows, cols)


def rope_factors(config):
    """By what llama.cpp divides each frequency (rope_type llama3); None where nothing is scaled."""
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "default":
        return None
    if kind != "llama3":
        sys.exit(f"config.json: rope_scaling: {kind} is not supported")
    dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    low, high, factor = (scaling[key] for key in ("low_freq_factor", "high_freq_factor", "factor"))
    context = scaling["original_max_position_embeddings"]
    factors = []
    for i in range(0, dim, 2):
        wavelength = 2 * math.pi * config.get("rope_theta", 10000.0) ** (i / dim)
        smooth = min(1, max(0, (context / wavelength - low) / (high - low)))
        factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def gguf_name(name):
    fixed = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
             "lm_head.weight": "output.weight"}
    if name in fixed:
        return fixed[name]
    _, _, layer, rest = name.split(".", 3)
    parts = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
             "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down"}
    return f"blk.{layer}.{parts[rest.removesuffix('.weight')]}.weight"


def write(directory, out, type_name):
    config = json.loads((directory / "config.json").read_text())
    if "LlamaForCausalLM" not in config.get("architectures", []):
        sys.exit(f"{directory}/config.json: architectures: only LlamaForCausalLM is supported")
    heads = {"q_proj": config["num_attention_heads"],
             "k_proj": config.get("num_key_value_heads", config["num_attention_heads"])}
    quant = getattr(gguf.GGMLQuantizationType, type_name)
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads["q_proj"])
    writer.add_head_count_kv(heads["k_proj"])
    head_dim = config.get("head_dim") or config["hidden_size"] // heads["q_proj"]
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(config.get("rope_theta", 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(getattr(gguf.LlamaFileType, f"MOSTLY_{type_name}"))
    writer.add_tokenizer_model("no_vocab")
    factors = rope_factors(config)
    if factors is not None:
        writer.add_tensor("rope_freqs.weight", factors)
    for name, w in read_tensors(directory):
        if len(w.shape) == 1:
            writer.add_tensor(gguf_name(name), to_f32(w))
            continue
        for part, count in heads.items():
            if part in name:
                w = pair_rows(w, count)
        w = np.ascontiguousarray(w)
        data = w.view(np.uint8) if type_name == "BF16" else gguf.quants.quantize(to_f32(w), quant)
        writer.add_tensor(gguf_name(name), data, raw_dtype=quant)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--type", choices=["BF16", "Q8_0", "Q4_0"], required=True)
    arguments = parser.parse_args()
    if not (arguments.model / "config.json").is_file():
        sys.exit(f"{arguments.model}: no config.json there")
    write(arguments.model, arguments.out, arguments.type)


if __name__ == "__main__":
    main()
