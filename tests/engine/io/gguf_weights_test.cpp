// Tensors of GGUF files as Hugging Face's: names, order of rows, exact values.
#include "engine/io/gguf_weights.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "base/dtype.h"
#include "engine/io/gguf_rows.h"
#include "tests/engine/io/gguf_writer.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using test::Bytes;
using test::GgufWriter;

namespace {

constexpr uint32_t kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ8_0 = 8, kBf16 = 30, kQ4K = 12;

GgufWriter model(const std::string& architecture) {
  GgufWriter w;
  return w.set("general.architecture", architecture.c_str())
      .set(architecture + ".attention.head_count", uint32_t(2))
      .set(architecture + ".attention.head_count_kv", uint32_t(1));
}

std::shared_ptr<const WeightSource> open(const test::TempDir& dir, const GgufWriter& w) {
  auto weights = GgufWeights::open(dir.write("x.gguf", w.file()));
  INFO(weights.status().message());
  REQUIRE(weights.ok());
  return *weights;
}

std::vector<float> read_all(const WeightSource& weights, const std::string& name,
                            const std::vector<int64_t>& shape) {
  const auto rows = weights.get(name, shape);
  INFO(rows.status().message());
  REQUIRE(rows.ok());
  std::vector<float> values((*rows)->rows() * (*rows)->cols());
  for (int64_t r = 0; r < (*rows)->rows(); ++r)
    (*rows)->read(r, values.data() + r * (*rows)->cols());
  return values;
}

/// `count` blocks of random bytes with scales of random finite f16.
std::string random_blocks(uint32_t type, int count, std::mt19937& rng) {
  const auto scale = [&] { return uint16_t((rng() & 0x83ff) | (rng() % 30) << 10); };
  Bytes bytes;
  for (int i = 0; i < count; ++i) {
    bytes.number(scale());
    if (type == kQ4_1) bytes.number(scale());
    for (int k = 0; k < (type == kQ8_0 ? 32 : 16); ++k) bytes.number(uint8_t(rng()));
  }
  return bytes.text();
}

float f16_at(const std::string& bytes, size_t at) {
  F16 value;
  std::memcpy(&value, bytes.data() + at, 2);
  return to_float(value);
}

/// Weight i of a block as ggml's reference has it: d·q in f32, and with an offset d·q + m.
float ggml_value(uint32_t type, const std::string& block, int i) {
  const float d = f16_at(block, 0);
  if (type == kQ8_0) return d * float(int8_t(block[2 + i]));
  const int codes = type == kQ4_1 ? 4 : 2;
  const uint8_t byte = uint8_t(block[codes + i % 16]);
  const int code = i < 16 ? byte & 15 : byte >> 4;
  return type == kQ4_1 ? d * float(code) + f16_at(block, 2) : d * float(code - 8);
}

}  // namespace

TEST_CASE("GGUF blocks decode to exactly ggml's values", "[io][gguf]") {
  const auto [type, block_bytes, bits] =
      GENERATE(table<uint32_t, int, int>({{kQ4_0, 18, 4}, {kQ4_1, 20, 4}, {kQ8_0, 34, 8}}));
  constexpr int kRows = 40, kBlocks = 3, kCols = 32 * kBlocks;
  std::mt19937 rng(type);
  const std::string data = random_blocks(type, kRows * kBlocks, rng);
  const test::TempDir dir;
  const auto weights =
      open(dir, model("llama").tensor("output.weight", {kRows, kCols}, type, data));
  const auto rows = weights->get("lm_head.weight", {kRows, kCols});
  REQUIRE(rows.ok());
  const RowSource& r = **rows;
  CHECK(r.encoding().bits == bits);
  CHECK(r.encoding().group == 32);
  CHECK(r.bytes() == data.size());

  std::vector<float> values(kCols), a(kBlocks), b(kBlocks);
  std::vector<uint8_t> codes(kCols);
  for (int row = 0; row < kRows; ++row) {
    r.read(row, values.data());
    r.read_codes(row, codes.data(), a.data(), b.data());
    for (int i = 0; i < kCols; ++i) {
      CAPTURE(row, i);
      const std::string block =
          data.substr(size_t(row * kBlocks + i / 32) * block_bytes, block_bytes);
      REQUIRE(values[i] == ggml_value(type, block, i % 32));
      REQUIRE(codes[i] < 1 << bits);
      REQUIRE(std::fma(a[i / 32], float(codes[i]), b[i / 32]) == values[i]);
    }
  }
}

TEST_CASE("GGUF floats are taken as they are", "[io][gguf]") {
  const test::TempDir dir;
  GgufWriter w = model("qwen2");
  w.tensor("token_embd.weight", {2, 2}, {1, 2, 3, 4});
  w.tensor("output_norm.weight", {2}, kF16,
           Bytes().number(to_f16(0.5f).bits).number(to_f16(-3).bits).text());
  w.tensor("output.weight", {1, 2}, kBf16,
           Bytes().number(to_bf16(2).bits).number(to_bf16(7).bits).text());
  const auto weights = open(dir, w);
  CHECK(read_all(*weights, "model.embed_tokens.weight", {2, 2}) == std::vector<float>{1, 2, 3, 4});
  CHECK(read_all(*weights, "model.norm.weight", {2}) == std::vector<float>{0.5f, -3});
  CHECK(read_all(*weights, "lm_head.weight", {1, 2}) == std::vector<float>{2, 7});
}

TEST_CASE("rows of reordered heads come back in their order", "[io][gguf]") {
  // llama.cpp's converter turns rows [half][i] of a head into [i][half]: 0 1 2 | 3 4 5 into 0 3 1 4
  // 2 5.
  const std::vector<float> q{0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15}, k{0, 3, 1, 4, 2, 5};
  const std::vector<float> q_expected{0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15};
  const std::vector<float> k_expected{0, 1, 2, 3, 4, 5};
  const auto [architecture, is_reordered] = GENERATE(table<std::string, bool>(
      {{"llama", true}, {"granite", true}, {"smollm3", true}, {"qwen2", false}, {"olmo2", false}}));
  GgufWriter w = model(architecture);
  w.tensor("blk.0.attn_q.weight", {12, 1}, q).tensor("blk.0.attn_q.bias", {12}, q);
  w.tensor("blk.0.attn_k.weight", {6, 1}, k).tensor("blk.0.attn_k.bias", {6}, k);
  w.tensor("blk.0.attn_v.weight", {6, 1}, k);
  const test::TempDir dir;
  const auto weights = open(dir, w);
  const std::string prefix = "model.layers.0.self_attn.";
  CHECK(read_all(*weights, prefix + "q_proj.weight", {12, 1}) == (is_reordered ? q_expected : q));
  CHECK(read_all(*weights, prefix + "q_proj.bias", {12}) == (is_reordered ? q_expected : q));
  CHECK(read_all(*weights, prefix + "k_proj.weight", {6, 1}) == (is_reordered ? k_expected : k));
  CHECK(read_all(*weights, prefix + "k_proj.bias", {6}) == (is_reordered ? k_expected : k));
  CHECK(read_all(*weights, prefix + "v_proj.weight", {6, 1}) == k);
}

TEST_CASE("reordered rows of codes keep codes and scales together", "[io][gguf]") {
  std::mt19937 rng(5);
  const std::string data = random_blocks(kQ4_1, 12, rng);
  const test::TempDir dir;
  const auto weights =
      open(dir, model("llama").tensor("blk.0.attn_q.weight", {12, 32}, kQ4_1, data));
  const auto rows = weights->get("model.layers.0.self_attn.q_proj.weight", {12, 32});
  REQUIRE(rows.ok());
  const int sources[] = {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11};
  std::vector<float> values(32), a(1), b(1);
  std::vector<uint8_t> codes(32);
  for (int row = 0; row < 12; ++row) {
    (*rows)->read(row, values.data());
    (*rows)->read_codes(row, codes.data(), a.data(), b.data());
    const std::string block = data.substr(size_t(sources[row]) * 20, 20);
    for (int i = 0; i < 32; ++i) {
      REQUIRE(values[i] == ggml_value(kQ4_1, block, i));
      REQUIRE(std::fma(a[0], float(codes[i]), b[0]) == values[i]);
    }
  }
}

TEST_CASE("gains of 1 + w give w, and adding 1 gives the file's value back", "[io][gguf]") {
  std::mt19937 rng(7);
  std::vector<float> gains;
  for (int i = 0; i < 3000; ++i) {
    // What a bf16 checkpoint's w can be, of every size that 1 + w does not swallow.
    const float w =
        std::ldexp(float(rng() % 256) + 256, int(rng() % 24) - 28) * (rng() % 2 ? 1.0f : -1.0f);
    gains.push_back(to_float(to_bf16(w)) + 1);
  }
  const uint64_t size = gains.size();
  const test::TempDir dir;
  GgufWriter w = model(GENERATE("gemma2", "gemma3"));
  w.tensor("output_norm.weight", {size}, gains).tensor("token_embd.weight", {1, size}, gains);
  const auto weights = open(dir, w);
  const auto values = read_all(*weights, "model.norm.weight", {int64_t(size)});
  for (size_t i = 0; i < gains.size(); ++i) REQUIRE(values[i] + 1 == gains[i]);
  CHECK(read_all(*weights, "model.embed_tokens.weight", {1, int64_t(size)}) == gains);
}

TEST_CASE("GGUF tensors have Hugging Face's names", "[io][gguf]") {
  const auto names_of = [](const std::string& architecture,
                           const std::vector<std::string>& tensors) {
    GgufWriter w = model(architecture);
    for (const std::string& t : tensors) w.tensor(t, {1}, {1});
    const test::TempDir dir;
    std::vector<std::string> names;
    for (const TensorInfo& t : open(dir, w)->tensors()) names.push_back(t.name);
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(names_of("llama", {"blk.11.attn_norm.weight", "blk.11.ffn_norm.weight",
                           "blk.11.attn_output.weight", "blk.11.ffn_gate.weight",
                           "blk.11.ffn_up.weight", "blk.11.ffn_down.bias", "rope_freqs.weight"}) ==
        Names{"model.layers.11.input_layernorm.weight", "model.layers.11.mlp.down_proj.bias",
              "model.layers.11.mlp.gate_proj.weight", "model.layers.11.mlp.up_proj.weight",
              "model.layers.11.post_attention_layernorm.weight",
              "model.layers.11.self_attn.o_proj.weight"});
  CHECK(names_of("gemma3", {"blk.0.ffn_norm.weight", "blk.0.post_attention_norm.weight",
                            "blk.0.post_ffw_norm.weight", "blk.0.attn_q_norm.weight"}) ==
        Names{"model.layers.0.post_attention_layernorm.weight",
              "model.layers.0.post_feedforward_layernorm.weight",
              "model.layers.0.pre_feedforward_layernorm.weight",
              "model.layers.0.self_attn.q_norm.weight"});
  CHECK(
      names_of("phi3", {"blk.0.attn_qkv.weight", "blk.0.ffn_up.weight", "rope_factors_long.weight",
                        "rope_factors_short.weight"}) ==
      Names{"model.layers.0.mlp.gate_up_proj.weight", "model.layers.0.self_attn.qkv_proj.weight"});
  CHECK(names_of("qwen3", {"blk.0.attn_k_norm.weight", "blk.0.some_new.weight", "odd", "blk.weight",
                           "other.weight"}) == Names{"blk.0.some_new.weight", "blk.weight",
                                                     "model.layers.0.self_attn.k_norm.weight",
                                                     "odd", "other.weight"});
}

TEST_CASE("GGUF tensors that cannot be given are refused by name", "[io][gguf]") {
  const test::TempDir dir;
  GgufWriter w = model("llama");
  w.tensor("token_embd.weight", {4, 2}, std::vector<float>(8));
  w.tensor("output.weight", {1, 256}, kQ4K, std::string(144, '\0'));
  w.tensor("blk.0.attn_q.weight", {6, 2}, std::vector<float>(12));
  const auto weights = open(dir, w);
  const auto message = [&](const char* name, const std::vector<int64_t>& shape, Code code) {
    const auto rows = weights->get(name, shape);
    REQUIRE_FALSE(rows.ok());
    CHECK(rows.status().code() == code);
    CHECK_THAT(rows.status().message(), Contains(weights->path()));
    return rows.status().message();
  };
  CHECK_THAT(message("model.norm.weight", {2}, Code::kNotFound), Contains("model.norm.weight"));
  CHECK_THAT(message("model.embed_tokens.weight", {4, 3}, Code::kInvalidArgument),
             Contains("\"token_embd.weight\"") && Contains("[4, 2]") && Contains("[4, 3]"));
  CHECK_THAT(message("lm_head.weight", {1, 256}, Code::kUnimplemented),
             Contains("\"output.weight\"") && Contains("q4_k"));
  CHECK_THAT(message("model.layers.0.self_attn.q_proj.weight", {6, 2}, Code::kInvalidArgument),
             Contains("6 rows are not 2 heads"));

  const auto refusal = [&](const GgufWriter& writer) {
    const auto opened = GgufWeights::open(dir.write("y.gguf", writer.file()));
    REQUIRE_FALSE(opened.ok());
    return opened.status();
  };
  const Status unknown = refusal(model("rwkv7"));
  CHECK(unknown.code() == Code::kUnimplemented);
  CHECK_THAT(unknown.message(), Contains("rwkv7") && Contains("llama") && Contains("smollm3"));
  CHECK_THAT(refusal(model("llama")
                         .tensor("blk.0.ffn_norm.weight", {1}, {1})
                         .tensor("blk.0.post_attention_norm.weight", {1}, {1}))
                 .message(),
             Contains("blk.0.ffn_norm.weight") && Contains("blk.0.post_attention_norm.weight"));
  GgufWriter headless;
  CHECK_THAT(refusal(headless.set("general.architecture", "llama")).message(),
             Contains("llama.attention.head_count"));
  CHECK_THAT(refusal(headless.set("llama.attention.head_count", uint32_t(0))).message(),
             Contains("must be positive"));
}
