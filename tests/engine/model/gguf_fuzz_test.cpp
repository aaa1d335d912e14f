// Broken GGUF files: whatever a byte says, opening one ends in an answer.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/io/gguf_weights.h"
#include "engine/model/gguf_config.h"
#include "tests/engine/io/gguf_writer.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using test::GgufWriter;

namespace {

std::string small_model(const std::string& architecture) {
  const auto key = [&](const char* name) { return architecture + "." + name; };
  GgufWriter w;
  w.set("general.architecture", architecture.c_str()).set("general.alignment", uint32_t(32));
  w.set(key("embedding_length"), uint32_t(32)).set(key("block_count"), uint32_t(1));
  w.set(key("feed_forward_length"), uint32_t(32)).set(key("context_length"), uint32_t(64));
  w.set(key("attention.head_count"), uint32_t(2)).set(key("attention.head_count_kv"), uint32_t(1));
  w.set(key("attention.layer_norm_rms_epsilon"), 1e-5f);
  w.set(key("attention.sliding_window"), uint32_t(8));
  w.set(key("attention.sliding_window_pattern"), std::vector<uint8_t>{1});
  w.set("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "</s>"});
  w.set("tokenizer.ggml.scores", std::vector<float>{0, -1, -2});
  w.set("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 3});
  w.set("tokenizer.ggml.eos_token_id", uint32_t(2));
  w.tensor("token_embd.weight", {3, 32}, 8, std::string(3 * 34, '\1'));
  w.tensor("blk.0.attn_q.weight", {32, 32}, 3, std::string(32 * 20, '\2'));
  w.tensor("blk.0.attn_q.bias", {32}, std::vector<float>(32, 1));
  w.tensor("output_norm.weight", {32}, 1, std::string(64, '\3'));
  w.tensor("rope_freqs.weight", {8}, std::vector<float>(8, 1));
  return w.file();
}

/// Everything that loading a model asks of the file, down to each weight.
int read_everything(const std::string& path) {
  const auto file = GgufFile::open(path);
  if (!file.ok()) return 0;
  int read = 1;
  read += gguf_config_json(*file).ok();
  read += read_gguf_config(*file).ok();
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.scores",
                          "tokenizer.ggml.token_type", "general.architecture"}) {
    read += file->get<std::vector<std::string_view>>(key).ok();
    read += file->get<std::vector<float>>(key).ok();
    read += file->get<std::vector<int32_t>>(key).ok();
    read += file->get<std::vector<bool>>(key).ok();
    read += file->get<std::string_view>(key).ok();
  }
  const auto weights = GgufWeights::open(path);
  if (!weights.ok()) return read;
  for (const TensorInfo& tensor : (*weights)->tensors()) {
    const auto rows = (*weights)->get(tensor.name, tensor.shape);
    if (!rows.ok()) continue;
    std::vector<float> values((*rows)->cols());
    for (int64_t r = 0; r < (*rows)->rows(); ++r) (*rows)->read(r, values.data());
    ++read;
  }
  return read;
}

void mutate(std::string& bytes, std::mt19937& rng) {
  constexpr unsigned char kSpecial[] = {0, 1, 2, 7, 8, 9, 0x7f, 0x80, 0xff};
  for (int edits = 1 + int(rng() % 3); edits > 0 && !bytes.empty(); --edits) {
    const size_t at = rng() % bytes.size();
    switch (rng() % 8) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.erase(at, rng() % 9);
        break;
      case 2:
        bytes.insert(at, rng() % 9, char(rng()));
        break;
      case 3:
        bytes[at] = char(kSpecial[rng() % sizeof kSpecial]);
        break;
      default:
        bytes[at] = char(bytes[at] ^ 1 << rng() % 8);
    }
  }
}

}  // namespace

TEST_CASE("mutated GGUF files never do harm", "[model][gguf][fuzz]") {
  const std::string architecture = GENERATE("llama", "gemma3", "phi3");
  const std::string whole = small_model(architecture);
  const test::TempDir dir;
  const int all = read_everything(dir.write("x.gguf", whole));
  REQUIRE(all >= 10);
  const size_t header_bytes = whole.size() - 3 * 34 - 32 * 20 - 128 - 64 - 32;
  std::mt19937 rng(17);
  int refused = 0, survived = 0;
  for (int i = 0; i < 1500; ++i) {
    // Edits belong into the header: any data is a tensor.
    std::string head = whole.substr(0, header_bytes);
    mutate(head, rng);
    const int read = read_everything(dir.write("x.gguf", head + whole.substr(header_bytes)));
    refused += read == 0;
    survived += read == all;
  }
  CHECK(refused > 300);
  CHECK(survived > 30);
}
