// A tiny Llama of random weights as a GGUF file, in any of the types that tern reads.
#pragma once

#include <bit>
#include <string>

#include "base/dtype.h"
#include "base/rng.h"
#include "tests/engine/io/gguf_writer.h"

namespace tern::test {

/// Types by their numbers in GGUF.
struct GgufType {
  const char* name;
  uint32_t id;
  int block_weights, block_bytes, num_scales;
};
inline constexpr GgufType kQ8_0{"q8_0", 8, 32, 34, 1}, kQ4_0{"q4_0", 2, 32, 18, 1},
    kQ4_1{"q4_1", 3, 32, 20, 2};

/// rows × cols weights within about ±0.1; cols is a multiple of the type's block.
inline std::string random_weights(const GgufType& type, uint64_t rows, uint64_t cols,
                                  uint64_t seed) {
  Bytes bytes;
  uint64_t i = 0;
  const auto random = [&] { return random_bits(seed, RngStream::kTest, i++); };
  const float step = type.block_weights == 32 && type.block_bytes > 20 ? 0.1f / 127 : 0.1f / 8;
  for (uint64_t block = 0; block < rows * cols / type.block_weights; ++block) {
    bytes.number(to_f16(step * (0.5f + float(random() % 256) / 256)).bits);
    if (type.num_scales == 2) bytes.number(to_f16(-0.1f + float(random() % 64) / 1000).bits);
    for (int k = 0; k < type.block_bytes - 2 * type.num_scales; ++k)
      bytes.number(uint8_t(random() >> 9));
  }
  return bytes.text();
}

/// Two layers, vocabulary 320, context 256; every matrix in `type`, no tokenizer.
inline std::string random_llama_gguf(const GgufType& type) {
  constexpr uint32_t kHidden = 96, kInner = 160, kVocabulary = 320, kHeads = 4, kKvHeads = 2;
  constexpr uint32_t kKvWidth = kHidden / kHeads * kKvHeads;
  GgufWriter w;
  w.set("general.architecture", "llama")
      .set("tokenizer.ggml.model", "no_vocab")
      .set("llama.vocab_size", kVocabulary)
      .set("llama.context_length", uint32_t(256))
      .set("llama.embedding_length", kHidden)
      .set("llama.feed_forward_length", kInner)
      .set("llama.block_count", uint32_t(2))
      .set("llama.attention.head_count", kHeads)
      .set("llama.attention.head_count_kv", kKvHeads)
      .set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  uint64_t seed = 1;
  const auto matrix = [&](const std::string& name, uint64_t rows, uint64_t cols) {
    w.tensor(name, {rows, cols}, type.id, random_weights(type, rows, cols, seed++));
  };
  const auto norm = [&](const std::string& name) {
    w.tensor(name, {kHidden}, std::vector<float>(kHidden, 1.0f));
  };
  matrix("token_embd.weight", kVocabulary, kHidden);
  norm("output_norm.weight");
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    norm(layer + "attn_norm.weight");
    matrix(layer + "attn_q.weight", kHidden, kHidden);
    matrix(layer + "attn_k.weight", kKvWidth, kHidden);
    matrix(layer + "attn_v.weight", kKvWidth, kHidden);
    matrix(layer + "attn_output.weight", kHidden, kHidden);
    norm(layer + "ffn_norm.weight");
    matrix(layer + "ffn_gate.weight", kInner, kHidden);
    matrix(layer + "ffn_up.weight", kInner, kHidden);
    matrix(layer + "ffn_down.weight", kHidden, kInner);
  }
  return w.file();
}

}  // namespace tern::test
