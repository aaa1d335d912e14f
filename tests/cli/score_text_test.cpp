// `tern score` and `tern template` on the bundled model.
#include "cli/files/score_text.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/files/render_template.h"
#include "engine/serve/generate_all.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using nlohmann::json;
using tern::test::TempDir;

namespace {

const std::string kModel = source_path("models/tern-stories");

}  // namespace

TEST_CASE("score gives what the engine says of the same text as a prompt", "[score]") {
  ScoreTextOptions options;
  options.model = kModel;
  options.text = "<|bos|><|user|>Tell me a story about a fox.<|end|><|assistant|>Once upon a time";
  const Result<json> result = score_text(options);
  REQUIRE(result.ok());
  const json& r = *result;
  REQUIRE(r["token_ids"].size() == r["logprobs"].size());
  REQUIRE(r["pieces"].size() == r["logprobs"].size());
  CHECK(r["logprobs"][0].is_null());

  EngineConfig config;
  config.model_dir = kModel;
  config.max_model_len = 64;
  config.scheduler.max_num_seqs = 3;  // several passes
  const auto engine = create_engine(config, {});
  REQUIRE(engine.ok());
  Request request;
  request.prompt_token_ids = r["token_ids"].get<std::vector<int32_t>>();
  request.sampling.prompt_logprobs = 2;
  request.sampling.max_tokens = 1;
  const auto answers = generate_all(**engine, {request}, {});
  REQUIRE(answers.ok());
  const std::vector<TokenLogprobs>& prompt = (*answers)[0].prompt_logprobs;
  REQUIRE(prompt.size() == r["logprobs"].size());
  double sum = 0;
  for (size_t i = 1; i < prompt.size(); ++i) {
    CHECK(*prompt[i].chosen.logprob == r["logprobs"][i].get<double>());
    sum += *prompt[i].chosen.logprob;
  }
  CHECK(sum == Approx(r["sum"].get<double>()));
}

TEST_CASE("score refuses what it cannot score", "[score]") {
  ScoreTextOptions options;
  options.model = kModel;
  CHECK(score_text(options).status().message() == "the text has no token");
  for (int i = 0; i < 1100; ++i) options.text += "fox ";
  CHECK(score_text(options).status().message().find("context is 1024") != std::string::npos);
  options.model = source_path("tests/data/golden/llama");
  CHECK(score_text(options).status().message().find("no tokenizer") != std::string::npos);
}

TEST_CASE("template renders the model's own prompt", "[template]") {
  const TempDir dir;
  RenderOptions options;
  options.model = kModel;
  options.messages_file = dir.write("m.json", R"([{"role": "user", "content": "hi"}])");
  const Result<json> result = render_template(options);
  REQUIRE(result.ok());
  CHECK((*result)["text"] == "<|bos|><|user|>hi<|end|><|assistant|>");
  CHECK((*result)["token_ids"].size() == 6);
  options.add_generation_prompt = false;
  CHECK((*render_template(options))["text"] == "<|bos|><|user|>hi<|end|>");

  options.messages_file = dir.write("bad.json", "[{]");
  CHECK(render_template(options).status().message().find("bad.json: ") != std::string::npos);
  options.messages_file = dir.write("object.json", "{}");
  CHECK(render_template(options).status().message().find("must be a JSON array") !=
        std::string::npos);
  options.messages_file = "/nonexistent";
  CHECK(render_template(options).status().code() == Code::kNotFound);
}

TEST_CASE("template takes the one for tools, continues, and names what is broken", "[template]") {
  const TempDir dir;
  const TempDir model;
  for (const char* name : {"config.json", "tokenizer.json"})
    std::filesystem::copy_file(kModel + "/" + name, model.path() + "/" + name);
  model.write("tokenizer_config.json", R"({"chat_template": [
      {"name": "default", "template": "D{{ messages[0].content }}!{{ bos_token }}"},
      {"name": "tool_use", "template": "T{{ tools[0].function.name }}{{ messages[0].content }}"}]})");
  model.write("special_tokens_map.json", R"({"bos_token": {"content": "<s>"}})");
  RenderOptions options;
  options.model = model.path();
  options.messages_file = dir.write("m.json", R"([{"role": "user", "content": "x"}])");
  CHECK((*render_template(options))["text"] == "Dx!<s>");
  options.continue_final_message = true;
  CHECK((*render_template(options))["text"] == "Dx");
  options.continue_final_message = false;
  options.tools_file = dir.write("t.json", R"([{"type": "function", "function": {"name": "f"}}])");
  CHECK((*render_template(options))["text"] == "Tfx");

  model.write("chat_template.jinja", "{% if %}");
  const Status broken = render_template(options).status();
  CHECK(broken.code() == Code::kFailedPrecondition);
  CHECK(broken.message().find("chat_template.jinja: chat template: line 1") != std::string::npos);
}

TEST_CASE("tools keep the order of their file in the prompt", "[template]") {
  const TempDir dir;
  const TempDir model;
  for (const char* name : {"config.json", "tokenizer.json"})
    std::filesystem::copy_file(kModel + "/" + name, model.path() + "/" + name);
  model.write("tokenizer_config.json",
              R"({"chat_template": "{{ tools | tojson }}{{ messages[0].content }}"})");
  RenderOptions options;
  options.model = model.path();
  options.messages_file = dir.write("m.json", R"([{"role": "user", "content": "x"}])");
  options.tools_file = dir.write("t.json", R"([{"z": 1, "a": {"y": 2, "b": 3}}])");
  const Result<json> result = render_template(options);
  INFO(result.status().message());
  REQUIRE(result.ok());
  CHECK((*result)["text"] == R"([{"z": 1, "a": {"y": 2, "b": 3}}]x)");
}
