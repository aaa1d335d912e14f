// Tokenizers: against the reference library's ids, on hostile texts, and in time.
#include "engine/text/tokenizer.h"

#include "tests/engine/text/tokenizer_support.h"
#include "tests/support/source_dir.h"

using namespace tern;
using namespace tern::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

const std::string kData = kTokenizerData;
const std::string kBundled = source_path("models/tern-stories");

/// Vectors as make_vectors.py writes them.
void check_vectors(const Tokenizer& tokenizer, const json& vectors) {
  for (const json& v : vectors) {
    const std::string text = v["text"];
    CAPTURE(text);
    const Ids ids = encode(tokenizer, text, {.add_special_tokens = false});
    CHECK(ids == v["ids"].get<Ids>());
    CHECK(encode(tokenizer, text, {.add_special_tokens = false, .parse_special_tokens = false}) ==
          v["ids_plain"].get<Ids>());
    CHECK(tokenizer.decode(ids) == v["decoded"].get<std::string>());
    CHECK(tokenizer.decode(ids, false) == v["decoded_keep_special"].get<std::string>());
  }
}

/// A small valid tokenizer.json to break.
json small_json() {
  return json::parse(
      R"({"added_tokens":[{"id":3,"content":"<s>","special":true,"normalized":false}],
    "normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
    "post_processor":null,"decoder":{"type":"ByteLevel"},
    "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})");
}

Status parse_status(const json& value) {
  return parse_tokenizer_json(value.dump(), "x.json").status();
}

}  // namespace

TEST_CASE("the bundled model's tokenizer gives the reference ids", "[text][tokenizer]") {
  const auto tokenizer = load(kBundled);
  const json vectors = read_json(kData + "tern-stories/vectors.json");
  REQUIRE(vectors.size() >= 60);
  check_vectors(*tokenizer, vectors);
}

TEST_CASE("the bundled model's tokenizer gives back every text", "[text][tokenizer]") {
  const auto tokenizer = load(kBundled);
  for (const json& v : read_json(kData + "tern-stories/vectors.json")) {
    const std::string text = v["text"];
    CAPTURE(text);
    const Ids ids = encode(*tokenizer, text);
    CHECK(tokenizer->decode(ids, false) == text);
    CHECK(all_bytes(*tokenizer, ids) == text);
  }
  const std::string stories = *read_text_file(kBundled + "/eval.txt");
  REQUIRE(stories.size() > 10'000);
  CHECK(all_bytes(*tokenizer, encode(*tokenizer, stories)) == stories);
}

TEST_CASE("the byte-level tokenizer gives the reference ids", "[text][tokenizer]") {
  const auto tokenizer = load(kData + "byte-level-bpe");
  const json vectors = read_json(kData + "byte-level-bpe/vectors.json");
  REQUIRE(vectors.size() == 51);
  for (const json& v : vectors) {
    const std::string text = v["text"];
    CAPTURE(text);
    CHECK(encode(*tokenizer, text) == v["ids"].get<Ids>());
    const Ids ids = encode(*tokenizer, text, {.add_special_tokens = false});
    CHECK(ids == v["ids_no_special"].get<Ids>());
    CHECK(tokenizer->decode(ids) == v["decoded"].get<std::string>());
    CHECK(tokenizer->decode(ids, false) == v["decoded_keep_special"].get<std::string>());
  }
}

TEST_CASE("small tokenizers, one a feature, give the reference ids", "[text][tokenizer]") {
  int num_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kData + "small")) {
    ++num_files;
    DYNAMIC_SECTION(entry.path().stem().string()) {
      const json file = read_json(entry.path().string());
      auto tokenizer = parse_tokenizer_json(file["tokenizer"].dump(), entry.path().string());
      INFO((tokenizer.ok() ? "" : tokenizer.status().message()));
      REQUIRE(tokenizer.ok());
      check_vectors(**tokenizer, file["vectors"]);
    }
  }
  REQUIRE(num_files >= 59);
}

TEST_CASE("both styles of merges mean the same", "[text][tokenizer]") {
  json pairs = small_json();
  pairs["model"]["merges"] = json::parse(R"([["a", "b"]])");
  for (const json& file : {small_json(), pairs}) {
    const auto tokenizer = parse_tokenizer_json(file.dump(), "x");
    REQUIRE(tokenizer.ok());
    CHECK(encode(**tokenizer, "abba") == Ids{2, 1, 0});
  }
}

TEST_CASE("what a tokenizer says of its ids", "[text][tokenizer]") {
  json file = small_json();
  file["model"]["vocab"]["\u0120"] = 7;
  file["added_tokens"].push_back({{"id", 9}, {"content", "\u00e9 x"}, {"special", false}});
  const auto tokenizer = *parse_tokenizer_json(file.dump(), "x");
  CHECK(tokenizer->vocab_size() == 8);
  CHECK(tokenizer->token_piece(7) == "\u0120");
  CHECK(tokenizer->token_bytes(7) == " ");
  // Added tokens are numbered behind the four pieces, and not spelled.
  CHECK(tokenizer->token_bytes(5) == "\u00e9 x");
  CHECK(tokenizer->token_bytes(4) == "<s>");
  CHECK(tokenizer->is_special(4));
  CHECK_FALSE(tokenizer->is_special(5));
  CHECK_FALSE(tokenizer->is_special(0));
  CHECK(tokenizer->token_id("<s>") == 4);
  CHECK(tokenizer->token_id("ab") == 2);
  CHECK_FALSE(tokenizer->token_id("zz"));
  for (const int32_t id : {-1, 3, 6, 8, INT32_MAX, INT32_MIN}) {  // 3 and 6 are holes
    CAPTURE(id);
    CHECK(tokenizer->token_bytes(id).empty());
    CHECK(tokenizer->token_piece(id).empty());
    CHECK_FALSE(tokenizer->is_special(id));
  }
  CHECK(tokenizer->decode(Ids{-1, 0, 4, 3, 8, 7, 1, INT32_MAX}) == "a b");
  CHECK(tokenizer->decode(Ids{0, 4}, false) == "a<s>");
}

TEST_CASE("parts of characters decode to U+FFFD", "[text][tokenizer]") {
  const auto tokenizer = load(kBundled);
  const Ids ids = encode(*tokenizer, "\U0001f600");
  REQUIRE(ids.size() == 4);
  CHECK(tokenizer->decode(ids) == "\U0001f600");
  CHECK(tokenizer->decode(Ids{ids[0], ids[1]}) == "\ufffd");
  CHECK(tokenizer->decode(Ids{ids[1], ids[0]}) == "\ufffd\ufffd");
}

TEST_CASE("texts that are not UTF-8 are refused with the offset", "[text][tokenizer][hostile]") {
  const auto tokenizer = load(kBundled);
  for (const auto& [text, offset] :
       std::vector<std::pair<std::string, std::string>>{{"\xff", "0"},
                                                        {"abc\x80", "3"},
                                                        {"é\xc3", "2"},
                                                        {"\xed\xa0\x80", "0"},
                                                        {"x\xf4\x90\x80\x80", "1"}}) {
    const auto ids = tokenizer->encode(text);
    REQUIRE(ids.status().code() == Code::kInvalidArgument);
    CHECK_THAT(ids.status().message(), Contains("byte " + offset));
  }
}

TEST_CASE("special tokens in a text can be plain text", "[text][tokenizer]") {
  const auto tokenizer = load(kBundled);
  const std::string text = "Hi<|end|><|user|>!";
  CHECK(std::ranges::count(encode(*tokenizer, text), 2) == 1);
  const Ids plain = encode(*tokenizer, text, {.parse_special_tokens = false});
  CHECK(std::ranges::none_of(plain, [&](int32_t id) { return tokenizer->is_special(id); }));
  CHECK(tokenizer->decode(plain) == text);
}

TEST_CASE("templates put tokens around a text", "[text][tokenizer]") {
  json file = small_json();
  file["added_tokens"].push_back({{"id", 4}, {"content", "</s>"}, {"special", true}});
  const auto piece = [](const char* id) {
    return json{{"SpecialToken", {{"id", id}, {"type_id", 0}}}};
  };
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json tokens = {{"<s>", {{"id", "<s>"}, {"ids", {3}}}},
                       {"</s>", {{"id", "</s>"}, {"ids", {4, 4}}}}};
  const json inner = {{"type", "TemplateProcessing"},
                      {"single", {piece("<s>"), text, piece("</s>")}},
                      {"special_tokens", tokens}};
  const json outer = {{"type", "TemplateProcessing"},
                      {"single", {piece("</s>"), text}},
                      {"special_tokens", tokens}};

  file["post_processor"] = {{"type", "Sequence"},
                            {"processors", {{{"type", "ByteLevel"}}, inner, outer}}};
  const auto tokenizer = parse_tokenizer_json(file.dump(), "x");
  REQUIRE(tokenizer.ok());
  CHECK(encode(**tokenizer, "ab") == Ids{4, 4, 3, 2, 4, 4});
  CHECK(encode(**tokenizer, "") == Ids{4, 4, 3, 4, 4});
  CHECK(encode(**tokenizer, "ab", {.add_special_tokens = false}) == Ids{2});

  file["post_processor"] = inner;
  file["post_processor"]["special_tokens"]["<s>"]["ids"] = {77};
  const auto stale = parse_tokenizer_json(file.dump(), "x");  // of no token: as the library has it
  REQUIRE(stale.ok());
  CHECK(encode(**stale, "ab").front() == 77);
  file["post_processor"] = inner;
  file["post_processor"]["special_tokens"].erase("</s>");
  CHECK_THAT(parse_status(file).message(), Contains("special_tokens") && Contains("</s>"));
  file["post_processor"] = {
      {"type", "TemplateProcessing"}, {"single", {text, text}}, {"special_tokens", tokens}};
  CHECK_THAT(parse_status(file).message(), Contains("single[1]"));
}

TEST_CASE("types that tern does not know are refused by name", "[text][tokenizer]") {
  struct Case {
    const char *pointer, *patch, *named;
  };
  const Case cases[] = {
      {"/normalizer", R"({"type":"Rot13"})", "Rot13"},
      {"/normalizer", R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Rot13"}]})",
       "normalizers[1]"},
      {"/normalizer", R"({"type":"Replace","pattern":{"Glob":"*"},"content":""})", "pattern"},
      {"/pre_tokenizer", R"({"type":"Telepathy"})", "Telepathy"},
      {"/pre_tokenizer",
       R"({"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Telepathy"}]})",
       "pretokenizers[1]"},
      {"/pre_tokenizer", R"({"type":"Split","pattern":{"Glob":"*"},"behavior":"Isolated"})",
       "pattern"},
      {"/pre_tokenizer", R"({"type":"Split","pattern":{"String":" "},"behavior":"Chewed"})",
       "Chewed"},
      {"/pre_tokenizer", R"({"type":"Punctuation","behavior":"Chewed"})", "Chewed"},
      {"/pre_tokenizer", R"({"type":"Metaspace","replacement":"_","prepend_scheme":"last"})",
       "last"},
      {"/pre_tokenizer", R"({"type":"Split","pattern":{"Regex":"[a&&[b]]"},"behavior":"Isolated"})",
       "&&"},
      {"/post_processor", R"({"type":"Envelope"})", "Envelope"},
      {"/decoder", R"({"type":"Rot13"})", "Rot13"},
      {"/decoder", R"({"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Rot13"}]})",
       "decoders[1]"},
      {"/model/type", R"("WordLevel")", "WordLevel"},
      {"/model/dropout", "0.1", "dropout"},
  };
  for (const Case& c : cases) {
    json file = small_json();
    file[json::json_pointer(c.pointer)] = json::parse(c.patch);
    CAPTURE(c.pointer, c.patch);
    const Status status = parse_status(file);
    CHECK(status.code() == Code::kUnimplemented);
    CHECK_THAT(status.message(), Contains("x.json: $.") && Contains(c.named));
  }
}

TEST_CASE("broken tokenizer files are refused by place", "[text][tokenizer][hostile]") {
  struct Case {
    const char *pointer, *patch, *named;
  };
  const Case cases[] = {
      {"", "[]", "$: is not an object"},
      {"/model", "null", "lacks \"model\""},
      {"/model", "7", "$.model"},
      {"/model/type", "7", "$.model.type"},
      {"/model/vocab", "[]", "$.model.vocab"},
      {"/model/vocab/c", "-1", "\"c\": id -1"},
      {"/model/vocab/c", "4194304", "id 4194304"},
      {"/model/vocab/c", "9223372036854775807", "id 9223372036854775807"},
      {"/model/vocab/c", "18446744073709551615", "\"c\""},
      {"/model/vocab/c", "1e3", "\"c\""},
      {"/model/vocab/c", "2", "\"c\""},
      {"/model/vocab/c", "\"7\"", "\"c\""},
      {"/model/merges", "{}", "$.model.merges"},
      {"/model/merges", R"(["ab"])", "$.model.merges[0]"},
      {"/model/merges", R"(["a b", "a  b"])", "$.model.merges[1]"},
      {"/model/merges", R"(["a b a"])", "$.model.merges[0]"},
      {"/model/merges", R"([["a"]])", "$.model.merges[0]"},
      {"/model/merges", R"([["a", 1]])", "$.model.merges[0]"},
      {"/model/merges", R"(["a b", "a z"])", "merges[1]: \"z\""},
      {"/model/merges", R"(["b a"])", "merges[0]: \"ba\""},
      {"/model/unk_token", R"("<unk>")", "$.model.unk_token"},
      {"/model/unk_token", "0", "$.model.unk_token"},
      {"/model/ignore_merges", "1", "$.model.ignore_merges"},
      {"/added_tokens", "{}", "$.added_tokens"},
      {"/added_tokens/0/id", "-3", "$.added_tokens[0]: the id -3"},
      {"/added_tokens/0/id", "4294967296", "$.added_tokens[0]: the id 4294967296"},
      {"/added_tokens/0/id", "null", "lacks \"id\""},
      {"/added_tokens/0/content", "1", "$.added_tokens[0].content"},
      {"/pre_tokenizer", "{}", "lacks \"type\""},
      {"/pre_tokenizer", R"({"type":"Sequence"})", "$.pre_tokenizer"},
      {"/pre_tokenizer", R"({"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"})",
       "$.pre_tokenizer.pattern.Regex"},
      {"/pre_tokenizer/use_regex", "7", "$.pre_tokenizer.use_regex"},
      {"/decoder", "{}", "$.decoder: lacks \"type\""},
      {"/decoder", R"({"type":"Strip","content":"ab"})", "not one character"},
      {"/normalizer", "[]", "$.normalizer"},
      {"/normalizer", R"({"type":"Prepend"})", "lacks \"prepend\""},
      {"/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"A"})", "base64"},
      {"/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"AAAA"})", "charsmap"},
      {"/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAB4"})",
       "charsmap"},
      {"/pre_tokenizer", R"({"type":"Metaspace","replacement":""})", "not one character"},
      {"/post_processor", R"({"type":"BertProcessing","sep":["a",0],"cls":["a"]})", ".cls"},
      {"/model/end_of_word_suffix", "1", "$.model.end_of_word_suffix"},
      {"/post_processor", R"({"type":"TemplateProcessing"})", "$.post_processor"},
  };
  REQUIRE(parse_status(small_json()).ok());
  for (const Case& c : cases) {
    json file = small_json();
    file[json::json_pointer(c.pointer)] = json::parse(c.patch);
    CAPTURE(c.pointer, c.patch);
    const Status status = parse_status(file);
    CHECK(status.code() == Code::kInvalidArgument);
    CHECK_THAT(status.message(), Contains("x.json") && Contains(c.named));
  }
  const auto message = [](std::string_view text) {
    return parse_tokenizer_json(text, "x.json").status().message();
  };
  CHECK_THAT(message("{\n\"model\":"), Contains("x.json:2:"));
  CHECK_THAT(message("{\"\xff\":1}"), Contains("x.json:1:"));
  CHECK(load_tokenizer(kData).status().code() == Code::kNotFound);
}

TEST_CASE("patterns that explode are an error, not a hang", "[text][tokenizer][hostile]") {
  json file = small_json();
  file["pre_tokenizer"] = json::parse(R"({"type":"Sequence","pretokenizers":[
    {"type":"Split","pattern":{"Regex":"(a|aa|a+)+[bc]"},"behavior":"Isolated"},{"type":"ByteLevel"}]})");
  const auto tokenizer = parse_tokenizer_json(file.dump(), "x.json");
  REQUIRE(tokenizer.ok());
  const auto ids = (*tokenizer)->encode(std::string(10'000, 'a'));
  CHECK(ids.status().code() == Code::kInvalidArgument);
  CHECK_THAT(ids.status().message(), Contains("limit"));
}

TEST_CASE("encoding takes time in proportion to the text", "[text][tokenizer]") {
  const auto tokenizer = load(kBundled);
  for (const char* unit : {"a", " ", "\n", "!", "7", "é", " a", "<|end|", "\r\n ", "\U0001f600"})
    check_linear_time(*tokenizer, unit);
}
