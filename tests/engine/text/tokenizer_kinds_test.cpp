// Every kind of tokenizer against the reference libraries' ids and texts, and in time.
#include <random>

#include "base/utf8_char.h"
#include "tests/engine/text/tokenizer_support.h"
#include "tests/support/shared_data.h"

using namespace tern;
using namespace tern::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

constexpr EncodeOptions kPlain{.add_special_tokens = false, .parse_special_tokens = false};

const char* const kKinds[] = {"byte-level-bpe",   "gpt2-bpe",  "metaspace-bpe",
                              "unigram",          "wordpiece", "sentencepiece-unigram",
                              "sentencepiece-bpe"};

/// Characters of every kind and length, many of them without a token.
std::string random_text(size_t num_bytes) {
  std::mt19937 rng(7);
  std::string text;
  while (text.size() < num_bytes) {
    const auto c = char32_t(rng() % 0x3000 + 0x20);
    append_utf8(text, rng() % 4 == 0 ? U' ' : c);
  }
  return text;
}

}  // namespace

TEST_CASE("every kind gives the reference ids and texts", "[text][tokenizer]") {
  for (const std::string kind : kKinds) {
    DYNAMIC_SECTION(kind) {
      const auto tokenizer = load(kTokenizerData + kind);
      // SentencePiece itself never reads "<s>" in a text as a token.
      const bool parses = kind.find("sentencepiece") == kind.npos;
      const EncodeOptions options{.add_special_tokens = false, .parse_special_tokens = parses};
      const json vectors = read_json(kTokenizerData + kind + "/vectors.json");
      REQUIRE(vectors.size() >= 50);
      for (const json& v : vectors) {
        const std::string text = v["text"];
        CAPTURE(text);
        const Ids ids = encode(*tokenizer, text, options);
        CHECK(ids == v["ids_no_special"].get<Ids>());
        CHECK(tokenizer->decode(ids) == v["decoded"].get<std::string>());
        if (!parses) continue;
        CHECK(encode(*tokenizer, text) == v["ids"].get<Ids>());
        CHECK(tokenizer->decode(ids, false) == v["decoded_keep_special"].get<std::string>());
      }
    }
  }
}

TEST_CASE("what continues a text is the bytes of its tokens", "[text][tokenizer]") {
  // A text in two halves: the first decoded as a whole, the second byte by byte.
  for (const std::string kind : kKinds) {
    const auto tokenizer = load(kTokenizerData + kind);
    const Ids ids = encode(*tokenizer, "the cat is here, 你 x", kPlain);
    const std::string whole = tokenizer->decode(ids, false);
    for (size_t cut = 1; cut < ids.size(); ++cut) {
      CAPTURE(kind, cut);
      const std::string head = tokenizer->decode(std::span(ids).first(cut), false);
      if (head.find("\ufffd") != head.npos) continue;  // cut within a character
      CHECK(head + all_bytes(*tokenizer, {ids.begin() + int64_t(cut), ids.end()}) == whole);
    }
  }
}

TEST_CASE("every kind takes time in proportion to the text", "[text][tokenizer]") {
  const std::string random = random_text(50'000);
  for (const char* kind : kKinds) {
    CAPTURE(kind);
    const auto tokenizer = load(kTokenizerData + kind);
    for (const std::string& unit : {std::string("a"), std::string(" "), random})
      check_linear_time(*tokenizer, unit);
  }
}

TEST_CASE("merges across spaces are exact and quick", "[text][tokenizer]") {
  const auto directory = shared_data("data/models/tinystories-656K", "merges across spaces");
  if (!directory) return;
  const auto tokenizer = load(*directory);
  check_linear_time(*tokenizer, " ");
  check_linear_time(*tokenizer, "one two ");
  const auto stories = shared_data("data/text/tinystories_10k.txt", "merges across spaces");
  REQUIRE(stories);
  const std::string text = expect_ok(read_text_file(*stories));
  size_t num_tokens = 0, num_stories = 0;
  const std::string separator = "<|endoftext|>";
  for (size_t begin = 0; num_stories < 200;
       begin = text.find(separator, begin) + separator.size()) {
    std::string story = text.substr(begin, text.find(separator, begin) - begin);
    const size_t first = story.find_first_not_of(" \n");
    if (first == story.npos) continue;
    story = story.substr(first, story.find_last_not_of(" \n") + 1 - first);
    const Ids ids = encode(*tokenizer, story);
    CHECK(ids.front() == 1);
    num_tokens += ids.size() - 1;
    ++num_stories;
  }
  CHECK(num_tokens == 37'114);  // recorded with the model
}

TEST_CASE("small models' recorded texts give the recorded ids", "[text][tokenizer]") {
  const auto data = shared_data("data", "small models' recorded texts");
  if (!data) return;
  const auto story = load(*data + "/models/tinystories-656K");
  CHECK(
      encode(*story, "Once upon a time, there was a little dog named Max") ==
      read_json(*data + "/reference/tinystories656K.prompt.logits.json")["prompt_ids"].get<Ids>());

  const TemporaryDirectory directory;
  directory.link("tokenizer.model", *data + "/models/stories260K/tok512.model");
  const json steps = read_json(*data + "/reference/stories260K.greedy200.logits.json")["steps"];
  Ids ids;
  for (const json& step : steps) ids.push_back(step["tok"]);
  ids.push_back(steps.back()["next"]);
  std::string text = expect_ok(read_text_file(*data + "/reference/stories260K.greedy200.txt"));
  text.resize(text.find_last_not_of('\n') + 1);
  const auto tokenizer = load(directory.path());
  CHECK(encode(*tokenizer, text) == ids);
  CHECK(tokenizer->decode(ids) == text);
}

TEST_CASE("other people's vocabularies give the recorded ids", "[text][tokenizer]") {
  for (const auto& [name, directory] : {std::pair<std::string, std::string>{"llama-bpe", "llama3"},
                                        {"qwen2", "qwen2.5"},
                                        {"gpt-2", "gpt2"},
                                        {"llama-spm", "llama2"}})
    if (const auto path = shared_data("data/tokenizers/" + directory, name))
      check_ggml_vectors(*load(*path), *path + "/../ggml-vocab/ggml-vocab-" + name + ".gguf");
}

TEST_CASE("Qwen 3.5 cuts marks with their letters", "[text][tokenizer]") {
  const auto qwen = shared_data("data/tokenizers/qwen2.5", "qwen35");
  if (!qwen) return;
  const TemporaryDirectory directory;
  directory.link("vocab.json", *qwen + "/vocab.json");
  directory.link("merges.txt", *qwen + "/merges.txt");
  json config = read_json(*qwen + "/tokenizer_config.json");
  config["tokenizer_class"] = "Qwen3_5Tokenizer";
  directory.write("tokenizer_config.json", config.dump());
  check_ggml_vectors(*load(directory.path()), *qwen + "/../ggml-vocab/ggml-vocab-qwen35.gguf");
}

TEST_CASE("Mistral's golden chats give the recorded ids", "[text][tokenizer]") {
  const auto mistral = shared_data("data/tokenizers/mistral", "Mistral's golden chats");
  if (!mistral) return;
  const std::pair<std::string, std::string> versions[] = {
      {"v1", "tokenizer.model.v1"},
      {"v2", "mistral_instruct_tokenizer_240216.model.v2"},
      {"v3", "mistral_instruct_tokenizer_240323.model.v3"},
      {"v3", "mistral_instruct_tokenizer_241114.model.v7"}};
  int num_chats = 0;
  for (const auto& [version, file] : versions) {
    const TemporaryDirectory directory;
    directory.link("tokenizer.model", *mistral + "/" + file);
    const auto tokenizer = load(directory.path());
    for (const auto& sample : std::filesystem::directory_iterator(*mistral + "/golden/samples")) {
      const std::string text_path = sample.path().string() + "/text_" + version + ".txt";
      if (!std::filesystem::exists(text_path)) continue;
      CAPTURE(text_path);
      std::string text = expect_ok(read_text_file(text_path));
      for (const auto& [piece, character] :
           {std::pair<std::string, std::string>{"▁", " "}, {"<0x0A>", "\n"}})
        for (size_t at; (at = text.find(piece)) != text.npos;)
          text.replace(at, piece.size(), character);
      const json golden = read_json(sample.path().string() + "/tokens_" + version + ".json");
      CHECK(encode(*tokenizer, text, {.add_special_tokens = false}) == golden["tokens"].get<Ids>());
      ++num_chats;
    }
  }
  CHECK(num_chats == 19);
}

TEST_CASE("directories without a tokenizer that tern reads", "[text][tokenizer]") {
  const TemporaryDirectory directory;
  CHECK(load_tokenizer(directory.path()).status().code() == Code::kNotFound);
  directory.write("tekken.json", "{}");
  const Status status = load_tokenizer(directory.path()).status();
  CHECK(status.code() == Code::kUnimplemented);
  CHECK_THAT(status.message(), Contains("tekken.json") && Contains("tokenizer.json"));
}
