#!/usr/bin/env python3
"""Writes tests/data/config-defaults.json: what transformers' configuration classes make of a
config.json in which keys are absent or null.

    make_config_vectors.py OUT    (needs: pip install transformers)
"""
import json
import sys

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

ARCHITECTURES = {
    "gemma2": "Gemma2ForCausalLM", "gemma3_text": "Gemma3ForCausalLM", "granite": "GraniteForCausalLM", "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM", "olmo2": "Olmo2ForCausalLM", "phi3": "Phi3ForCausalLM", "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM", "smollm3": "SmolLM3ForCausalLM"}
TEXT_TYPES = {  # of multimodal models: text_config's class, and the class that holds it
    "qwen2_vl_text": "Qwen2VLForConditionalGeneration", "qwen2_5_vl_text": "Qwen2_5_VLForConditionalGeneration",
    "qwen3_vl_text": "Qwen3VLForConditionalGeneration", "gemma3_text": "Gemma3ForConditionalGeneration"}
BASE = {"vocab_size": 320, "hidden_size": 96, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 8,
        "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 256, "rms_norm_eps": 1e-4,
        "tie_word_embeddings": True, "attention_bias": True, "rope_theta": 5000.0, "bos_token_id": 7, "eos_token_id": 9}
OWN = {"gemma2": {"query_pre_attn_scalar": 12, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0, "sliding_window": 8,
                  "hidden_activation": "gelu_new"},
       "gemma3_text": {"query_pre_attn_scalar": 12, "sliding_window": 8, "rope_local_base_freq": 77.0, "hidden_activation": "silu"},
       "granite": {"embedding_multiplier": 2.0, "logits_scaling": 3.0, "residual_multiplier": 0.5, "attention_multiplier": 0.25,
                   "mlp_bias": True},
       "llama": {"mlp_bias": True, "hidden_act": "gelu_fast"}, "mistral": {"sliding_window": 8}, "smollm3": {"mlp_bias": True},
       "phi3": {"original_max_position_embeddings": 32, "hidden_act": "swish"}}
NULLS = ["num_key_value_heads", "head_dim", "sliding_window", "attn_logit_softcapping", "final_logit_softcapping", "bos_token_id",
         "eos_token_id"]
TANH = {"gelu_pytorch_tanh", "gelu_python_tanh", "gelu_new", "gelu_fast", "gelu_accurate"}


def expected(model_type, keys):
    c = CONFIG_MAPPING[model_type](**json.loads(json.dumps(keys)))
    rope = c.rope_parameters
    out = {k: getattr(c, k) for k in ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                                      "num_key_value_heads", "max_position_embeddings", "rms_norm_eps"]}
    if hasattr(c, "tie_word_embeddings"):  # not in the text models of multimodal ones
        out["tie_word_embeddings"] = c.tie_word_embeddings
    out["head_dim"] = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    name = getattr(c, "hidden_activation", None) or c.hidden_act
    out["activation"] = "gelu_tanh" if name in TANH else "silu" if name in ("silu", "swish") else name
    out["rope"] = rope.get("full_attention", rope)
    if "sliding_attention" in rope:
        out["local_rope"] = rope["sliding_attention"]
    for key in ["bos_token_id", "eos_token_id"]:
        id = getattr(c, key, None)
        out[key] = None if id is None or id >= c.vocab_size else id
    for key in ["attention_bias", "mlp_bias"]:
        out[key] = bool(getattr(c, key, False))
    own = [k for k in ["query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping", "embedding_multiplier",
                       "logits_scaling", "residual_multiplier", "attention_multiplier"] if hasattr(c, k)]
    if model_type in ("gemma2", "gemma3_text", "mistral"):
        own.append("sliding_window")
    out["own"] = {k: getattr(c, k) for k in own}
    return out


def phi3_ropes():  # its class knows longrope alone
    factors = [1.0 + i / 10 for i in range(6)]
    longrope = {"rope_type": "longrope", "short_factor": factors, "long_factor": factors}
    yield {"rope_scaling": longrope}
    yield {"rope_scaling": {**longrope, "original_max_position_embeddings": 64}}
    yield {"rope_scaling": {**longrope, "original_max_position_embeddings": 64}, "original_max_position_embeddings": 128}


def ropes():
    factors = [1.0 + i / 10 for i in range(8)]
    yield {"rope_scaling": {"type": "dynamic", "factor": 2.0}}
    yield {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 64}}
    yield {"rope_scaling": {"type": "linear", "rope_type": "dynamic", "factor": 2.0}}
    yield {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 300.0}}
    yield {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": {"rope_type": "default", "rope_theta": 9.0}}
    yield {"rope_scaling": None, "rope_parameters": {"rope_type": "linear", "factor": 3.0, "rope_theta": 9.0}}
    yield {"rope_scaling": {}}
    yield {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}
    yield {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}}
    yield {"rope_scaling": {"rope_type": "longrope", "short_factor": factors, "long_factor": factors,
                            "original_max_position_embeddings": 64}}


def cases():
    for model_type, architecture in ARCHITECTURES.items():
        named = {"architectures": [architecture], "model_type": model_type}
        base = {**BASE, **OWN.get(model_type, {})}
        yield model_type, named, {}
        yield model_type, {"model_type": model_type}, base
        for key in base:
            yield model_type, named, {k: v for k, v in base.items() if k != key}
        for key in NULLS:
            if key in base:
                yield model_type, named, {**base, key: None}
        if model_type != "gemma3_text":
            for rope in phi3_ropes() if model_type == "phi3" else ropes():
                absent = ["original_max_position_embeddings", *(["head_dim"] if model_type == "phi3" else [])]
                keys = {k: v for k, v in base.items() if k not in absent}
                yield model_type, named, {**keys, **rope}
    for text_type, architecture in TEXT_TYPES.items():
        yield text_type, {"architectures": [architecture], "vision_config": {}, "text_config": {}}, {}
        yield text_type, {"architectures": [architecture], "vision_config": {}, "text_config": BASE}, BASE


def main(out):
    lines = []
    for model_type, named, keys in cases():
        try:
            want = expected(model_type, keys)
        except Exception as error:  # transformers 5 refuses some nulls that 4 took, and some types of RoPE
            print(f"left out: {model_type} {[k for k, v in keys.items() if v is None]}: {str(error)[:300]}")
            continue
        if want["num_attention_heads"] % want["num_key_value_heads"] != 0:
            continue  # a default that fits no such model
        config = named if "text_config" in named else {**named, **keys}
        lines.append(json.dumps({"config": config, "expected": want}))
    with open(out, "w") as f:
        f.write("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} configs of transformers {transformers.__version__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
