// Added tokens whose ids contradict the vocabulary or each other: as the reference library has it.
#include "engine/text/tokenizer_config.h"
#include "tests/engine/text/tokenizer_support.h"

using namespace tern;
using namespace tern::test;
using nlohmann::json;
using nlohmann::ordered_json;

TEST_CASE("added tokens have the ids and texts that the reference gives them",
          "[text][tokenizer][added-tokens]") {
  const json cases = read_json(kTokenizerData + "added-tokens.json");
  REQUIRE(cases.size() >= 70);  // made by make_added_token_vectors.py
  for (const json& c : cases) {
    CAPTURE(c["name"].get<std::string>());
    const auto tokenizer = expect_ok(parse_tokenizer_json(c["tokenizer"].dump(), "t.json"));
    for (const json& t : c["texts"]) {
      const auto text = t["text"].get<std::string>();
      CAPTURE(text);
      const Ids ids = t["ids"].get<Ids>();
      CHECK(encode(*tokenizer, text) == ids);
      CHECK(tokenizer->decode(ids) == t["decoded"].get<std::string>());
      CHECK(tokenizer->decode(ids, false) == t["decoded_keep_special"].get<std::string>());
    }
    for (int32_t id = 0; id < int32_t(c["alone"].size()); ++id) {
      CAPTURE(id);
      CHECK(tokenizer->decode(Ids{id}) == c["alone"][id][0].get<std::string>());
      CHECK(tokenizer->decode(Ids{id}, false) == c["alone"][id][1].get<std::string>());
    }
  }
}

TEST_CASE("an added token of a directory without tokenizer.json is numbered alike",
          "[text][tokenizer][added-tokens]") {
  const TemporaryDirectory dir;
  dir.write("vocab.json", R"({"a": 0, "b": 1, "<s>": 2, "\u0120": 3})");
  dir.write("merges.txt", "#version: 0.2\n");
  dir.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer",
      "added_tokens_decoder": {"9": {"content": "<new>", "special": true},
                               "1": {"content": "<s>", "special": true},
                               "3": {"content": "<other>", "special": false}}})");
  const auto tokenizer = load(dir.path());
  CHECK(encode(*tokenizer, "a<s>b<new><other>") == Ids{0, 2, 1, 5, 4});
  CHECK(tokenizer->decode(Ids{0, 2, 1, 5, 4}) == "ab<other>");
}

TEST_CASE("an added token may have any id that the reference reads, and names may stand twice",
          "[text][tokenizer][added-tokens]") {
  const auto parse = [](const std::string& id) {
    return parse_tokenizer_json(R"({"added_tokens": [{"id": )" + id +
                                    R"(, "content": "<t>", "special": true}],
            "model": {"type": "BPE", "vocab": {"a": 7, "b": 1, "a": 0}, "merges": []}})",
                                "t.json");
  };
  for (const char* id : {"2147483648", "4294967295"}) {
    CAPTURE(id);
    CHECK(encode(*expect_ok(parse(id)), "a<t>b") == Ids{0, 2, 1});
  }
  CHECK_FALSE(parse("4294967296").ok());
}

TEST_CASE("the tokens that a configuration adds are those that the reference adds",
          "[text][tokenizer][added-tokens]") {
  // Tokens are added in the order of their names in the files.
  const auto text = expect_ok(read_text_file(kTokenizerData + "config-tokens.json"));
  const ordered_json cases = ordered_json::parse(text);
  REQUIRE(cases.size() >= 90);  // made by make_config_token_vectors.py
  for (const ordered_json& c : cases) {
    CAPTURE(c["name"].get<std::string>());
    const TemporaryDirectory dir;
    for (const auto& [name, content] : c["files"].items())
      dir.write(name, content.is_string() ? content.get<std::string>() : content.dump());
    for (const ordered_json& file : c.value("copied", ordered_json::array()))
      std::filesystem::copy_file(kTokenizerData + file.get<std::string>(),
                                 dir.path() + "/tokenizer.model");
    const auto tokenizer = load(dir.path());
    for (const ordered_json& t : c["texts"]) {
      CAPTURE(t["text"].get<std::string>());
      const Ids ids =
          encode(*tokenizer, t["text"].get<std::string>(), {.add_special_tokens = false});
      CHECK(ids == t["ids"].get<Ids>());
      const Ids special = t["special"].get<Ids>();  // but for those that are decoded to nothing
      for (const int32_t id : ids) {
        CAPTURE(id);
        if (!tokenizer->decode(Ids{id}, false).empty())
          CHECK(tokenizer->is_special(id) == (std::ranges::count(special, id) > 0));
      }
    }
    const auto tokens = read_special_tokens(dir.path());
    REQUIRE(tokens.ok());
    json named = json::object();
    for (const auto& [name, token] : tokens->items())
      if (token.is_string()) named[name] = token;
    CHECK(named == json(c["tokens"]));
  }
}
