// From requests to the engine's types: defaults, ranges, refusals by field path.
#include "server/api/convert.h"

#include <google/protobuf/descriptor.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <set>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/support/fake_engine.h"

using namespace tern;

namespace {

v1::GenerateRequest minimal() {
  v1::GenerateRequest request;
  request.set_text("hi");
  return request;
}

struct Converted {
  std::optional<ApiError> error;
  GenerateCall call;
};

Converted convert(const v1::GenerateRequest& request, bool with_text = true) {
  const FakeEngine engine(with_text);
  Converted out;
  out.error = to_call(request, engine, {}, &out.call);
  return out;
}

using Change = std::function<void(v1::GenerateRequest&)>;

ApiError error_after(const Change& change) {
  v1::GenerateRequest request = minimal();
  change(request);
  const Converted converted = convert(request);
  REQUIRE(converted.error);
  return *converted.error;
}

v1::RandomSampling* random(v1::GenerateRequest& r) {
  return r.mutable_sampling()->mutable_random();
}
v1::Stopping* stopping(v1::GenerateRequest& r) {
  return r.mutable_sampling()->mutable_stopping();
}

}  // namespace

TEST_CASE("unset fields get the model's defaults, then the neutral ones", "[convert]") {
  const Converted c = convert(minimal());
  REQUIRE_FALSE(c.error);
  const SamplingParams& s = c.call.request.sampling;
  CHECK(s.temperature == 0.5f);  // the model's
  CHECK(s.top_k == 7);           // the model's
  CHECK(s.top_p == 1.0f);
  CHECK(s.min_p == 0.0f);
  CHECK(s.max_tokens == 0);
  CHECK(s.skip_special_tokens);
  CHECK_FALSE(s.ignore_eos);
  CHECK(c.call.request.priority == PriorityClass::kDefault);
  CHECK(c.call.request.prompt_token_ids == std::vector<int32_t>{257, 'h', 'i'});
  CHECK(c.call.accepted.max_tokens() == 4096 - 3);
  CHECK(c.call.accepted.effective_sampling().seed() == s.seed);
  CHECK(convert(minimal()).call.request.sampling.seed != s.seed);
}

TEST_CASE("penalties and max_tokens have defaults, too", "[convert]") {
  const FakeEngine engine(true, {.repetition_penalty = 1.1f,
                                 .presence_penalty = 0.5f,
                                 .frequency_penalty = -0.5f,
                                 .max_tokens = 40});
  const auto sampling = [&](const v1::GenerateRequest& request) {
    GenerateCall call;
    REQUIRE(!to_call(request, engine, {}, &call));
    CHECK(call.accepted.max_tokens() == uint32_t(call.request.sampling.max_tokens));
    return call.request.sampling;
  };
  const SamplingParams unset = sampling(minimal());
  CHECK(unset.repetition_penalty == 1.1f);
  CHECK(unset.presence_penalty == 0.5f);
  CHECK(unset.frequency_penalty == -0.5f);
  CHECK(unset.max_tokens == 40);

  v1::GenerateRequest r = minimal();
  r.mutable_sampling()->mutable_penalties()->set_repetition_penalty(1);
  r.mutable_sampling()->mutable_penalties()->set_presence_penalty(0);
  stopping(r)->set_max_tokens(50);
  CHECK(sampling(r).repetition_penalty == 1);
  CHECK(sampling(r).presence_penalty == 0);
  CHECK(sampling(r).max_tokens == 50);
  r = minimal();
  stopping(r)->set_min_tokens(60);  // the default yields
  CHECK(sampling(r).max_tokens == 60);
  r = minimal();
  r.mutable_token_ids()->mutable_ids()->Resize(4090, 1);
  CHECK(sampling(r).max_tokens == 6);  // what the context leaves

  const v1::ModelInfo info = to_wire(engine);
  CHECK(info.default_penalties().repetition_penalty() == 1.1f);
  CHECK(info.default_max_tokens() == 40);
}

TEST_CASE("set fields win, also at zero", "[convert]") {
  v1::GenerateRequest r = minimal();
  random(r)->set_temperature(0);
  random(r)->set_top_k(0);
  random(r)->set_top_p(0.25f);
  random(r)->set_min_p(0.125f);
  random(r)->set_seed(0);
  stopping(r)->set_max_tokens(9);
  stopping(r)->add_stop("a");
  stopping(r)->set_include_stop_str_in_output(true);
  stopping(r)->add_stop_token_ids(5);
  stopping(r)->set_ignore_eos(true);
  r.mutable_response()->set_skip_special_tokens(false);
  r.mutable_response()->set_echo_prompt_token_ids(true);
  r.mutable_scheduling()->set_priority(v1::PRIORITY_CLASS_BULK);
  r.mutable_scheduling()->set_expected_output_tokens(0);
  r.mutable_cache()->set_bypass_read(true);
  const Converted c = convert(r);
  REQUIRE_FALSE(c.error);
  const SamplingParams& s = c.call.request.sampling;
  CHECK(s.temperature == 0);
  CHECK(s.top_k == 0);
  CHECK(s.top_p == 0.25f);
  CHECK(s.min_p == 0.125f);
  CHECK(s.seed == 0);
  CHECK(s.max_tokens == 9);
  CHECK(s.stop == std::vector<std::string>{"a"});
  CHECK(s.include_stop_str_in_output);
  CHECK(s.stop_token_ids == std::vector<int32_t>{5});
  CHECK(s.ignore_eos);
  CHECK_FALSE(s.skip_special_tokens);
  CHECK(c.call.request.priority == PriorityClass::kBulk);
  CHECK(c.call.request.bypass_prefix_cache);
  CHECK(c.call.accepted.max_tokens() == 9);
  CHECK(c.call.accepted.prompt_token_ids_size() == 3);
  CHECK(c.call.request.hinted_output_tokens == 0u);
}

TEST_CASE("prompts: text, ids and chat", "[convert]") {
  v1::GenerateRequest r;
  SECTION("special tokens in text are parsed unless that is switched off") {
    r.set_text("<eos>");
    CHECK(convert(r).call.request.prompt_token_ids == std::vector<int32_t>{257, 256});
    r.mutable_text_options()->set_parse_special_tokens(false);
    r.mutable_text_options()->set_add_special_tokens(false);
    CHECK(convert(r).call.request.prompt_token_ids.size() == 5);
  }
  SECTION("ids go through as they are") {
    for (const uint32_t id : {3u, 1u, 2u}) r.mutable_token_ids()->add_ids(id);
    CHECK(convert(r).call.request.prompt_token_ids == std::vector<int32_t>{3, 1, 2});
    CHECK_FALSE(convert(r, false).error);  // needs no tokenizer
  }
  SECTION("chat is rendered without the tokenizer's own BOS") {
    v1::ChatMessage& message = *r.mutable_chat()->add_messages();
    message.set_role("user");
    message.set_content("yo");
    const auto ids = convert(r).call.request.prompt_token_ids;
    CHECK(std::string(ids.begin(), ids.end()) == "[user]yo[assistant]");
    r.mutable_chat()->set_add_generation_prompt(false);
    CHECK(convert(r).call.request.prompt_token_ids.size() == 8);
  }
  SECTION("without a tokenizer text is a switched-off feature") {
    r.set_text("hi");
    const auto error = convert(r, false).error;
    REQUIRE(error);
    CHECK(error->code == Code::kFailedPrecondition);
    CHECK(error->reason == "FEATURE_DISABLED");
    CHECK(error->field == "text");
  }
}

TEST_CASE("what is out of range is named by its path", "[convert]") {
  const auto field = [](const Change& change) {
    const ApiError error = error_after(change);
    CHECK(error.code == Code::kInvalidArgument);
    CHECK(error.message.starts_with(error.field + ": "));
    return error.field;
  };
  CHECK(field([](auto& r) { random(r)->set_temperature(-0.1f); }) == "sampling.random.temperature");
  CHECK(field([](auto& r) { random(r)->set_temperature(NAN); }) == "sampling.random.temperature");
  CHECK(field([](auto& r) { random(r)->set_temperature(INFINITY); }) ==
        "sampling.random.temperature");
  CHECK(field([](auto& r) { random(r)->set_top_k(1u << 31); }) == "sampling.random.top_k");
  CHECK(field([](auto& r) { random(r)->set_top_p(-0.1f); }) == "sampling.random.top_p");
  CHECK(field([](auto& r) { random(r)->set_top_p(1.01f); }) == "sampling.random.top_p");
  CHECK(field([](auto& r) { random(r)->set_min_p(1.5f); }) == "sampling.random.min_p");
  CHECK(field([](auto& r) { stopping(r)->set_max_tokens(0); }) == "sampling.stopping.max_tokens");
  CHECK(field([](auto& r) { stopping(r)->set_max_tokens(~0u); }) == "sampling.stopping.max_tokens");
  CHECK(field([](auto& r) { stopping(r)->add_stop(""); }) == "sampling.stopping.stop[0]");
  CHECK(field([](auto& r) { stopping(r)->add_stop(std::string(300, 'x')); }) ==
        "sampling.stopping.stop[0]");
  CHECK(field([](auto& r) {
          for (int i = 0; i < 17; ++i) stopping(r)->add_stop("x");
        }) == "sampling.stopping.stop");
  CHECK(field([](auto& r) { stopping(r)->add_stop_token_ids(258); }) ==
        "sampling.stopping.stop_token_ids[0]");
  const auto penalties = [](auto& r) { return r.mutable_sampling()->mutable_penalties(); };
  const auto constraints = [](auto& r) { return r.mutable_sampling()->mutable_constraints(); };
  CHECK(field([&](auto& r) { penalties(r)->set_presence_penalty(2.1f); }) ==
        "sampling.penalties.presence_penalty");
  CHECK(field([&](auto& r) { penalties(r)->set_frequency_penalty(NAN); }) ==
        "sampling.penalties.frequency_penalty");
  CHECK(field([&](auto& r) { penalties(r)->set_repetition_penalty(INFINITY); }) ==
        "sampling.penalties.repetition_penalty");
  CHECK(field([&](auto& r) { penalties(r)->set_repetition_penalty(0); }) ==
        "sampling.penalties.repetition_penalty");
  CHECK(field([&](auto& r) { (*penalties(r)->mutable_logit_bias())[258] = 1; }) ==
        "sampling.penalties.logit_bias[258]");
  CHECK(field([&](auto& r) { (*penalties(r)->mutable_logit_bias())[2] = NAN; }) ==
        "sampling.penalties.logit_bias[2]");
  CHECK(field([&](auto& r) {
          for (uint32_t i = 0; i < 1025; ++i) (*penalties(r)->mutable_logit_bias())[i] = 1;
        }) == "sampling.penalties.logit_bias");
  CHECK(field([&](auto& r) { constraints(r)->add_bad_words(""); }) ==
        "sampling.constraints.bad_words[0]");
  CHECK(field([&](auto& r) {
          for (int i = 0; i < 65; ++i) constraints(r)->add_bad_words("x");
        }) == "sampling.constraints.bad_words");
  CHECK(field([&](auto& r) { constraints(r)->add_allowed_token_ids(258); }) ==
        "sampling.constraints.allowed_token_ids[0]");
  CHECK(field([](auto& r) { r.mutable_sampling()->set_n(0); }) == "sampling.n");
  CHECK(field([](auto& r) { r.mutable_sampling()->set_n(9); }) == "sampling.n");
  CHECK(field([](auto& r) { r.mutable_sampling()->set_n(2), random(r)->set_temperature(0); }) ==
        "sampling.n");
  CHECK(field([](auto& r) { stopping(r)->set_min_tokens(6), stopping(r)->set_max_tokens(5); }) ==
        "sampling.stopping.min_tokens");
  CHECK(field([](auto& r) { stopping(r)->set_min_tokens(4094); }) ==
        "sampling.stopping.min_tokens");
  CHECK(field([](auto& r) { r.mutable_response()->set_logprobs(21); }) == "response.logprobs");
  CHECK(field([](auto& r) { r.mutable_response()->set_prompt_logprobs(21); }) ==
        "response.prompt_logprobs");
  CHECK(field([](auto& r) { r.mutable_response()->add_logprob_token_ids(258); }) ==
        "response.logprob_token_ids[0]");
  CHECK(field([](auto& r) {
          for (int i = 0; i < 129; ++i) r.mutable_response()->add_logprob_token_ids(1);
        }) == "response.logprob_token_ids");
  CHECK(field([](auto& r) { r.mutable_response()->set_stream_interval(0); }) ==
        "response.stream_interval");
  CHECK(field([](auto& r) { r.mutable_scheduling()->set_priority(v1::PriorityClass(9)); }) ==
        "scheduling.priority");
  CHECK(field([](auto& r) { r.set_request_id("a b"); }) == "request_id");
  CHECK(field([](auto& r) { r.set_request_id("a\nb"); }) == "request_id");
  CHECK(field([](auto& r) { r.set_request_id(std::string(129, 'x')); }) == "request_id");
  CHECK(field([](auto& r) { r.set_text(std::string((4u << 20) + 1, 'x')); }) == "text");
  CHECK(field([](auto& r) { r.clear_text(); }) == "input");
  CHECK(field([](auto& r) { r.mutable_token_ids(); }) == "token_ids.ids");
  CHECK(field([](auto& r) {
          r.mutable_token_ids()->add_ids(1);
          r.mutable_token_ids()->add_ids(258);
        }) == "token_ids.ids[1]");
  CHECK(field([](auto& r) { r.mutable_chat(); }) == "chat.messages");
  CHECK(field([](auto& r) { r.mutable_chat()->add_messages(); }) == "chat.messages[0].role");
  CHECK(field([](auto& r) {
          r.mutable_token_ids()->add_ids(1);
          r.mutable_text_options()->set_add_special_tokens(false);
        }) == "text_options");
}

TEST_CASE("an unknown model is NOT_FOUND with its name", "[convert]") {
  const ApiError error = error_after([](auto& r) { r.set_model("gpt"); });
  CHECK(error.code == Code::kNotFound);
  CHECK(error.reason == "MODEL_NOT_FOUND");
  CHECK(error.model == "gpt");
}

// Every field of the contract either reaches the engine or is refused. This walks all of them, so
// that a new field cannot be forgotten.
namespace {

namespace pb = google::protobuf;

// Sets the field to something that asks for it.
void ask(pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& r = *message.GetReflection();
  const bool many = field.is_repeated();
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return many ? r.AddUInt32(&message, &field, 2) : r.SetUInt32(&message, &field, 2);
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return r.SetUInt64(&message, &field, 2);
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return r.SetFloat(&message, &field, 0.5f);
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return r.SetDouble(&message, &field, 0.5);
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return r.SetBool(&message, &field, field.name() != "spaces_between_special_tokens");
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return r.SetEnumValue(&message, &field, 2);
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return many ? r.AddString(&message, &field, "x") : r.SetString(&message, &field, "x");
    default:
      many ? r.AddMessage(&message, &field) : r.MutableMessage(&message, &field);
  }
}

// Asks for one leaf field at a time below `message` and calls `check(path)`.
void for_each_leaf(pb::Message& message, const std::string& prefix,
                   const std::function<void(const std::string&)>& check) {
  const pb::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    const std::string path = prefix + field.name();
    const bool nested = field.message_type() && !field.is_repeated();
    if (nested)
      for_each_leaf(*message.GetReflection()->MutableMessage(&message, &field), path + ".", check);
    else
      ask(message, field), check(path);
    message.GetReflection()->ClearField(&message, &field);
  }
}

}  // namespace

TEST_CASE("no field of sampling, response, scheduling or cache is ignored", "[convert]") {
  const std::set<std::string> honoured = {"sampling.random.temperature",
                                          "sampling.random.top_k",
                                          "sampling.random.top_p",
                                          "sampling.random.min_p",
                                          "sampling.random.seed",
                                          "sampling.penalties.presence_penalty",
                                          "sampling.penalties.frequency_penalty",
                                          "sampling.penalties.repetition_penalty",
                                          "sampling.penalties.logit_bias",
                                          "sampling.constraints.allowed_token_ids",
                                          "sampling.constraints.bad_words",
                                          "sampling.n",
                                          "sampling.stopping.max_tokens",
                                          "sampling.stopping.min_tokens",
                                          "sampling.stopping.stop",
                                          "sampling.stopping.include_stop_str_in_output",
                                          "sampling.stopping.stop_token_ids",
                                          "sampling.stopping.ignore_eos",
                                          "response.text",
                                          "response.token_ids",
                                          "response.echo_prompt_token_ids",
                                          "response.prefill_progress",
                                          "response.stream_interval",
                                          "response.shown_special_tokens",
                                          "response.skip_special_tokens",
                                          "response.spaces_between_special_tokens",
                                          "response.logprobs",
                                          "response.prompt_logprobs",
                                          "response.logprob_token_ids",
                                          "scheduling.priority",
                                          "scheduling.expected_output_tokens",
                                          "cache.bypass_read"};
  std::set<std::string> accepted;
  int refused = 0;
  v1::GenerateRequest r = minimal();
  const auto check = [&](const std::string& path) {
    CAPTURE(path);
    const auto error = convert(r).error;
    if (!error) {
      accepted.insert(path);
      return;
    }
    ++refused;
    CHECK(error->code == Code::kUnimplemented);
    CHECK(error->reason == "FEATURE_DISABLED");
    CHECK(path.starts_with(error->field));
  };
  for_each_leaf(*r.mutable_sampling(), "sampling.", check);
  for_each_leaf(*r.mutable_response(), "response.", check);
  for_each_leaf(*r.mutable_scheduling(), "scheduling.", check);
  for_each_leaf(*r.mutable_cache(), "cache.", check);
  for_each_leaf(*r.mutable_adapter(), "adapter.", check);
  r.clear_adapter();
  for_each_leaf(*r.mutable_diffusion(), "diffusion.", check);
  r.clear_diffusion();
  CHECK(accepted == honoured);
  CHECK(refused > 15);
}

TEST_CASE("a missing feature at its neutral value is no request for it", "[convert]") {
  v1::GenerateRequest r = minimal();
  r.mutable_sampling()->set_n(1);
  r.mutable_sampling()->mutable_penalties()->set_presence_penalty(0);
  r.mutable_sampling()->mutable_penalties()->set_repetition_penalty(1);
  stopping(r)->set_min_tokens(0);
  r.mutable_response()->set_spaces_between_special_tokens(true);
  r.mutable_cache()->set_scope(v1::CACHE_SCOPE_TENANT);
  CHECK_FALSE(convert(r).error);
}

TEST_CASE("tools reach the template with their keys in the client's order", "[convert]") {
  v1::GenerateRequest r;
  v1::ChatMessage& message = *r.mutable_chat()->add_messages();
  message.set_role("user");
  message.set_content("x");
  const auto prompt = [&] {
    const Converted c = convert(r);
    INFO((c.error ? c.error->message : ""));
    REQUIRE_FALSE(c.error);
    return std::string(c.call.request.prompt_token_ids.begin(),
                       c.call.request.prompt_token_ids.end());
  };
  SECTION("offered as text") {
    v1::Tool& tool = *r.mutable_chat()->add_tools();
    tool.set_name("f");
    tool.set_description("does f");
    tool.set_parameters_json(R"({"type":"object","properties":{"z":{"a":1},"b":{}}})");
    CHECK(prompt() ==
          "[tools][{\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": "
          "\"does f\", \"parameters\": {\"type\": \"object\", \"properties\": {\"z\": "
          "{\"a\": 1}, \"b\": {}}}}}][user]x[assistant]");
  }
  SECTION("offered as a map: sorted, so that equal requests are equal prompts") {
    v1::Tool& tool = *r.mutable_chat()->add_tools();
    tool.set_name("f");
    auto& fields = *tool.mutable_parameters()->mutable_fields();
    for (const char* key : {"q", "a", "m", "c", "x"}) fields[key].set_number_value(2);
    CHECK(prompt().find(R"("parameters": {"a": 2, "c": 2, "m": 2, "q": 2, "x": 2})") !=
          std::string::npos);
  }
  SECTION("called, and answered") {
    v1::ToolCall& call = *message.add_tool_calls();
    call.set_name("f");
    call.set_arguments_json(R"({"z": 1, "a": [true]})");
    v1::ChatMessage& answer = *r.mutable_chat()->add_messages();
    answer.set_role("tool");
    answer.set_tool_call_id("c1");
    CHECK(prompt() ==
          R"([user]x{"name": "f", "arguments": {"z": 1, "a": [true]}}[tool]<c1>[assistant])");
  }
}

TEST_CASE("tools that cannot be honoured are refused by name", "[convert]") {
  const auto field = [](const std::function<void(v1::ChatInput&)>& change) {
    v1::GenerateRequest r;
    v1::ChatMessage& message = *r.mutable_chat()->add_messages();
    message.set_role("user");
    change(*r.mutable_chat());
    const auto error = convert(r).error;
    REQUIRE(error);
    return error->field;
  };
  CHECK(field([](auto& chat) { chat.add_tools(); }) == "chat.tools[0].name");
  const auto with_json = [&](const std::string& json) {
    return field([&](auto& chat) {
      chat.add_tools()->set_name("f");
      chat.mutable_tools(0)->set_parameters_json(json);
    });
  };
  for (const std::string bad : {"{", "[1]", "nonsense", "{} x"})
    CHECK(with_json(bad) == "chat.tools[0].parameters_json");
  CHECK(with_json("{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}") ==
        "chat.tools[0].parameters_json");
  CHECK(field([](auto& chat) {
          chat.add_tools()->set_name("f");
          chat.mutable_tools(0)->set_parameters_json("{}");
          chat.mutable_tools(0)->mutable_parameters();
        }) == "chat.tools[0].parameters_json");
  CHECK(field([](auto& chat) { chat.mutable_messages(0)->add_tool_calls(); }) ==
        "chat.messages[0].tool_calls[0].name");
}

TEST_CASE("penalties, masks, n and logprobs reach the engine", "[convert]") {
  v1::GenerateRequest r = minimal();
  v1::Penalties& penalties = *r.mutable_sampling()->mutable_penalties();
  penalties.set_presence_penalty(0.5f);
  penalties.set_frequency_penalty(-0.25f);
  penalties.set_repetition_penalty(1.25f);
  (*penalties.mutable_logit_bias())[9] = 1000;
  (*penalties.mutable_logit_bias())[3] = -INFINITY;
  (*penalties.mutable_logit_bias())[5] = 1.5f;
  r.mutable_sampling()->mutable_constraints()->add_allowed_token_ids(7);
  r.mutable_sampling()->mutable_constraints()->add_bad_words("no");
  r.mutable_sampling()->set_n(8);
  stopping(r)->set_min_tokens(3);
  r.mutable_response()->set_logprobs(0);
  r.mutable_response()->set_prompt_logprobs(20);
  r.mutable_response()->add_logprob_token_ids(4);
  const Converted c = convert(r);
  REQUIRE_FALSE(c.error);
  const SamplingParams& s = c.call.request.sampling;
  CHECK(s.presence_penalty == 0.5f);
  CHECK(s.frequency_penalty == -0.25f);
  CHECK(s.repetition_penalty == 1.25f);
  REQUIRE(s.logit_bias.size() == 3);
  CHECK((s.logit_bias[0].token_id == 3 && s.logit_bias[0].bias == -100));
  CHECK((s.logit_bias[1].token_id == 5 && s.logit_bias[1].bias == 1.5f));
  CHECK((s.logit_bias[2].token_id == 9 && s.logit_bias[2].bias == 100));
  CHECK(s.allowed_token_ids == std::vector<int32_t>{7});
  CHECK(s.bad_words == std::vector<std::string>{"no"});
  CHECK(s.n == 8);
  CHECK(c.call.n == 8);
  CHECK(s.min_tokens == 3);
  CHECK(s.logprobs == 0);
  CHECK(s.prompt_logprobs == 20);
  CHECK(s.logprob_token_ids == std::vector<int32_t>{4});
  const SamplingParams neutral = convert(minimal()).call.request.sampling;
  CHECK_FALSE(neutral.logprobs);
  CHECK_FALSE(neutral.prompt_logprobs);
  CHECK_FALSE(neutral.has_penalties());
}

TEST_CASE("a long prompt keeps its last tokens where the client wants that", "[convert]") {
  v1::GenerateRequest r;
  r.set_text("abcdef");
  r.set_truncate_prompt_tokens(3);
  CHECK(convert(r).call.request.prompt_token_ids == std::vector<int32_t>{'d', 'e', 'f'});
  CHECK(convert(r).call.accepted.prompt_tokens() == 3);
  r.set_truncate_prompt_tokens(100);
  CHECK(convert(r).call.request.prompt_token_ids.size() == 7);
  // The largest number is none: as much as leaves room for the answer.
  const int32_t context = FakeEngine().model_info().max_model_len;
  r.set_text(std::string(size_t(context) + 50, 'x') + "y");
  r.set_truncate_prompt_tokens(INT32_MAX);
  CHECK(std::ssize(convert(r).call.request.prompt_token_ids) == context - 1);
  CHECK(convert(r).call.request.prompt_token_ids.back() == 'y');
  r.mutable_sampling()->mutable_stopping()->set_max_tokens(10);
  CHECK(std::ssize(convert(r).call.request.prompt_token_ids) == context - 10);
  r.mutable_sampling()->mutable_stopping()->clear_max_tokens();
  r.set_truncate_prompt_tokens(0);
  REQUIRE(convert(r).error);
  CHECK(convert(r).error->field == "truncate_prompt_tokens");
  CHECK(convert(r).error->message.find("must be in [1, 2147483647], is 0") != std::string::npos);
}

TEST_CASE("a score request is a prompt whose logprobs are wanted", "[convert]") {
  const FakeEngine engine;
  v1::ScoreRequest in;
  in.set_text("hi");
  in.set_top_logprobs(4);
  GenerateCall call;
  REQUIRE_FALSE(to_score_call(in, engine, {}, &call));
  CHECK(call.request.prompt_token_ids == std::vector<int32_t>{257, 'h', 'i'});
  CHECK(call.request.sampling.prompt_logprobs == 4);
  CHECK(call.request.prompt_only);
  CHECK(call.accepted.prompt_token_ids_size() == 3);
  in.set_top_logprobs(21);
  CHECK(to_score_call(in, engine, {}, &call)->field == "top_logprobs");
  CHECK(to_score_call({}, engine, {}, &call)->field == "input");
}

TEST_CASE("details carry what the table of errors promises", "[convert]") {
  ApiError error = bad_field("a.b", "wrong");
  error.retry_after = Seconds(1.5);
  error.metadata["limit"] = "3";
  google::rpc::Status status;
  REQUIRE(status.ParseFromString(serialize_details(error)));
  CHECK(status.code() == 3);
  CHECK(status.message() == "a.b: wrong");
  REQUIRE(status.details_size() == 3);
  CHECK(status.details(0).type_url() == "type.googleapis.com/google.rpc.ErrorInfo");
  google::rpc::ErrorInfo info;
  REQUIRE(status.details(0).UnpackTo(&info));
  CHECK(info.metadata().at("limit") == "3");
  google::rpc::RetryInfo retry;
  REQUIRE(status.details(2).UnpackTo(&retry));
  CHECK(retry.retry_delay().seconds() == 1);
  CHECK(retry.retry_delay().nanos() == 500000000);
}

TEST_CASE("an expired request says whether it had begun", "[convert]") {
  const Status late(Code::kDeadlineExceeded, "late");
  CHECK(engine_error(late, 0).reason == "QUEUE_TIMEOUT");
  CHECK(engine_error(late, 4).reason == "GENERATION_TIMEOUT");
  CHECK(engine_error(late, 4).metadata.at("completion_tokens") == "4");
}

TEST_CASE("minted ids are UUIDs of version 7, in order of time, and differ", "[convert]") {
  std::set<std::string> seen;
  std::string before;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = uuid_v7();
    REQUIRE(id.size() == 36);
    for (size_t j = 0; j < id.size(); ++j)
      CHECK((j == 8 || j == 13 || j == 18 || j == 23 ? id[j] == '-' : isxdigit(id[j]) != 0));
    CHECK(id[14] == '7');
    CHECK(std::string("89ab").find(id[19]) != std::string::npos);
    CHECK(id.substr(0, 13) >= before);
    before = id.substr(0, 13);
    seen.insert(id);
  }
  CHECK(seen.size() == 1000);
}
