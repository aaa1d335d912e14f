// Whole models out of GGUF files: the same logits, bit by bit, as their Hugging Face directories.
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/checkpoint.h"
#include "engine/load/loader.h"
#include "engine/load/resolve_model.h"
#include "engine/step/score.h"
#include "engine/text/chat_renderer.h"
#include "tests/engine/io/gguf_writer.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::GgufWriter;

namespace {

const std::string kGolden = source_path("tests/data/golden/");

/// llama.cpp's names for parts of a layer; a longer name stands before one that it contains.
const std::vector<std::pair<std::string, std::string>> kParts{
    {"self_attn.qkv_proj", "attn_qkv"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"mlp.gate_up_proj", "ffn_up"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"input_layernorm", "attn_norm"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"}};

std::string gguf_name(std::string name, bool post_norm_is_ffn_norm) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    const size_t at = name.find(from);
    if (at != name.npos) name.replace(at, from.size(), to);
  };
  replace("model.embed_tokens", "token_embd");
  replace("model.norm", "output_norm");
  replace("lm_head", "output");
  replace("model.layers.", "blk.");
  for (const auto& [from, to] : kParts) replace(from, to);
  replace("post_attention_layernorm", post_norm_is_ffn_norm ? "ffn_norm" : "post_attention_norm");
  return name;
}

/// What llama.cpp's converter writes for one architecture.
struct Converted {
  std::string golden;        ///< folder of tests/data/golden
  std::string architecture;  ///< general.architecture
  bool interleaves = false;  ///< rows of q and k
  bool adds_one = false;     ///< to the gains of norms
  bool sandwich = false;     ///< post_attention_layernorm is really that
};

std::vector<float> read_rows(const Checkpoint& checkpoint, const TensorInfo& t) {
  const auto rows = checkpoint.get(t.name, t.shape);
  REQUIRE(rows.ok());
  std::vector<float> values((*rows)->rows() * (*rows)->cols());
  for (int64_t r = 0; r < (*rows)->rows(); ++r)
    (*rows)->read(r, values.data() + r * (*rows)->cols());
  return values;
}

/// Rows [half][i] of every head become [i][half].
std::vector<float> interleaved(const std::vector<float>& values, int64_t rows, int64_t heads) {
  const int64_t cols = int64_t(values.size()) / rows, half = rows / heads / 2;
  std::vector<float> out;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t i = 0; i < half; ++i)
      for (int64_t part = 0; part < 2; ++part) {
        const auto row = values.begin() + ((head * 2 + part) * half + i) * cols;
        out.insert(out.end(), row, row + cols);
      }
  return out;
}

void add_metadata(const Converted& c, const json& config, GgufWriter& w) {
  const auto key = [&](const std::string& name) { return c.architecture + "." + name; };
  const auto size = [&](const char* from, const std::string& to) {
    if (config.contains(from)) w.set(key(to), config[from].get<uint32_t>());
  };
  const auto number = [&](const char* from, const std::string& to) {
    if (config.contains(from) && config[from].is_number())
      w.set(key(to), config[from].get<float>());
  };
  w.set("general.architecture", c.architecture.c_str());
  w.set("tokenizer.ggml.model", "no_vocab");
  size("hidden_size", "embedding_length");
  size("num_hidden_layers", "block_count");
  size("intermediate_size", "feed_forward_length");
  size("max_position_embeddings", "context_length");
  size("num_attention_heads", "attention.head_count");
  size("num_key_value_heads", "attention.head_count_kv");
  size("head_dim", "attention.key_length");
  size("head_dim", "attention.value_length");
  number("rms_norm_eps", "attention.layer_norm_rms_epsilon");
  number("attention_multiplier", "attention.scale");
  number("embedding_multiplier", "embedding_scale");
  number("residual_multiplier", "residual_scale");
  number("logits_scaling", "logit_scale");
  const json rope = config["rope_parameters"];
  if (rope.contains("rope_theta")) w.set(key("rope.freq_base"), rope["rope_theta"].get<float>());
  if (!rope.contains("long_factor")) return;
  const auto original = rope["original_max_position_embeddings"].get<float>();
  const auto context = config["max_position_embeddings"].get<float>();
  w.set(key("rope.scaling.original_context_length"), uint32_t(original));
  // In double, as the HF directory's loader computes it: the logits are compared bit by bit.
  w.set(key("rope.scaling.attn_factor"),
        std::sqrt(1 + std::log(double(context) / original) / std::log(double(original))));
  w.set(key("rope.dimension_count"), uint32_t(2 * rope["long_factor"].size()));
  for (const std::string name : {"long", "short"}) {
    const auto factors = rope[name + "_factor"].get<std::vector<float>>();
    w.tensor("rope_factors_" + name + ".weight", {factors.size()}, factors);
  }
}

std::string convert(const Converted& c) {
  const std::string directory = kGolden + c.golden;
  const auto config = read_json_file(directory + "/config.json");
  const auto checkpoint = Checkpoint::open(directory);
  REQUIRE((config.ok() && checkpoint.ok()));
  GgufWriter w;
  add_metadata(c, *config, w);
  for (const TensorInfo& t : checkpoint->tensors()) {
    std::vector<float> values = read_rows(*checkpoint, t);
    const bool is_q = t.name.find(".q_proj.") != t.name.npos;
    if (c.interleaves && (is_q || t.name.find(".k_proj.") != t.name.npos))
      values = interleaved(values, t.shape[0],
                           (*config)[is_q ? "num_attention_heads" : "num_key_value_heads"]);
    if (c.adds_one && t.name.ends_with("norm.weight"))
      for (float& v : values) v += 1;
    w.tensor(gguf_name(t.name, !c.sandwich), {t.shape.begin(), t.shape.end()}, values);
  }
  return w.file();
}

std::vector<float> logits_of(const std::string& model, const ModelConfig& config) {
  constexpr int32_t kLength = 90;  // past the windows, and past longrope's original context
  const auto isa = selected_isa();
  REQUIRE(isa.ok());
  const auto loaded = load_weights(model, config, kLength, {"f32", 2, *isa}, {});
  INFO(loaded.status().message());
  REQUIRE(loaded.ok());
  const auto scorer = Scorer::create(*loaded, {"f32", 2, *isa}, {.max_len = kLength, .chunk = 32});
  REQUIRE(scorer.ok());
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < kLength; ++i) ids.push_back((i * 37 + 11) % config.vocab_size);
  std::vector<float> logits;
  REQUIRE((*scorer)
              ->run(ids,
                    [&](int32_t, std::span<const float> row) {
                      logits.insert(logits.end(), row.begin(), row.end());
                    })
              .ok());
  return logits;
}

}  // namespace

TEST_CASE("a GGUF model computes what its Hugging Face directory computes", "[model][gguf]") {
  const Converted c = GENERATE(
      Converted{"llama", "llama", true}, Converted{"llama-mha-bias-tied", "llama", true},
      Converted{"granite", "granite", true}, Converted{"qwen3", "qwen3"},
      Converted{"phi3-longrope-partial", "phi3"}, Converted{"olmo2", "olmo2", false, false, true},
      Converted{"gemma3", "gemma3", false, true, true});
  CAPTURE(c.golden);
  const test::TempDir dir;
  const std::string file = dir.write("model.gguf", convert(c));
  // GGUF has no field for what this golden has in place of head_dim^-1/2.
  const bool needs_hf_config = c.golden == "gemma3";
  const auto hf_config = read_config(kGolden + c.golden);
  const auto config = read_config(file, needs_hf_config ? kGolden + "gemma3/config.json" : "");
  INFO(config.status().message());
  REQUIRE((hf_config.ok() && config.ok()));
  CHECK(config->architecture == hf_config->architecture);
  CHECK(config->tie_word_embeddings == hf_config->tie_word_embeddings);
  CHECK(logits_of(file, *config) == logits_of(kGolden + c.golden, *hf_config));
}

TEST_CASE("a GGUF file is a model wherever a directory is", "[model][gguf]") {
  const test::TempDir dir;
  GgufWriter w;
  const std::string file = dir.write("Some Name.gguf", convert({"llama", "llama", true}));
  const auto files = read_model_files(file);
  INFO(files.status().message());
  REQUIRE(files.ok());
  CHECK(files->assets.info.name == "Some Name");
  CHECK(files->assets.info.vocab_size == 320);
  CHECK(files->assets.tokenizer == nullptr);
  CHECK(read_tokenizer(file).status().code() == Code::kNotFound);

  CHECK(*resolve_model(file) == file);
  CHECK(*resolve_model(dir.path()) == file);
  dir.write("other.gguf", "GGUF");
  CHECK_THAT(resolve_model(dir.path()).status().message(), Contains("2 GGUF files"));
  dir.write("config.json", "{}");
  CHECK(*resolve_model(dir.path()) == dir.path());

  const auto broken = read_model_files(dir.write("x.gguf", "not one"));
  REQUIRE_FALSE(broken.ok());
  CHECK_THAT(broken.status().message(), Contains("x.gguf") && Contains("'GGUF'"));
}

TEST_CASE("a GGUF file brings its vocabulary, template and name", "[model][gguf]") {
  GgufWriter w;
  w.set("general.architecture", "qwen2").set("general.name", "A Model");
  for (const char* key : {"embedding_length", "feed_forward_length", "context_length"})
    w.set("qwen2." + std::string(key), uint32_t(64));
  w.set("qwen2.block_count", uint32_t(1)).set("qwen2.attention.head_count", uint32_t(2));
  w.set("qwen2.attention.layer_norm_rms_epsilon", 1e-5f);
  w.set("tokenizer.ggml.model", "gpt2").set("tokenizer.ggml.pre", "qwen2");
  w.set("tokenizer.ggml.tokens", std::vector<std::string>{"h", "i", "<|im_end|>", "hi"});
  w.set("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 3, 1});
  w.set("tokenizer.ggml.merges", std::vector<std::string>{"h i"});
  w.set("tokenizer.ggml.eos_token_id", uint32_t(2));
  w.set("tokenizer.chat_template", "{{ messages[0].content }}{{ eos_token }}");
  w.set("tokenizer.chat_templates", std::vector<std::string>{"tool_use"});
  w.set("tokenizer.chat_template.tool_use",
        "{{ tools[0].function.name }}:{{ messages[0].content }}");
  const uint64_t rows = GENERATE(4, 3);
  w.tensor("token_embd.weight", {rows, 64}, std::vector<float>(rows * 64));
  const test::TempDir dir;
  const auto files = read_model_files(dir.write("x.gguf", w.file()));
  if (rows == 3) {
    REQUIRE_FALSE(files.ok());
    CHECK_THAT(files.status().message(), Contains("tokenizer.ggml.tokens: there are 4") &&
                                             Contains("the embedding has 3 rows"));
    return;
  }
  INFO(files.status().message());
  REQUIRE(files.ok());
  const ModelAssets& assets = files->assets;
  CHECK(assets.info.name == "x");
  CHECK(assets.published_name == "A Model ");
  CHECK(assets.info.eos_token_ids == std::vector<int32_t>{2});
  REQUIRE(assets.tokenizer != nullptr);
  CHECK(*assets.tokenizer->encode("hih<|im_end|>") == std::vector<int32_t>{3, 0, 2});
  REQUIRE(assets.chat != nullptr);
  Conversation conversation{.messages = {{{"role", "user"}, {"content", "hi"}}}};
  CHECK(*assets.chat->render(conversation) == "hi<|im_end|>");
  conversation.tools = {{{"type", "function"}, {"function", {{"name", "f"}}}}};
  CHECK(*assets.chat->render(conversation) == "f:hi");
}
