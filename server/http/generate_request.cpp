#include "server/http/generate_request.h"

#include <algorithm>
#include <charconv>

#include "engine/decode/param_ranges.h"
#include "engine/serve/engine.h"
#include "server/http/compat_fields.h"
#include "server/http/tool_call_parser.h"

namespace tern::http {
namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr size_t kMaxPrompts = 128;  // of one body
constexpr size_t kMaxShown = 40;     // bytes of a wrong value

template <class Proto>
void set_ids(const std::vector<uint32_t>& ids, Proto* out) {
  out->Add(ids.begin(), ids.end());
}

void read_random(Fields& fields, v1::RandomSampling* out) {
  if (const auto v = fields.number("temperature")) out->set_temperature(*v);
  if (const auto v = fields.number("top_p")) out->set_top_p(*v);
  if (const auto v = fields.number("min_p")) out->set_min_p(*v);
  // Others write "off" as -1.
  if (const auto v = fields.integer("top_k", -1, kMaxInt32)) out->set_top_k(*v < 0 ? 0 : *v);
  if (const auto v = fields.integer("seed"); v && *v != -1)
    out->set_seed(static_cast<uint64_t>(*v));
}

void read_logit_bias(Fields& fields, v1::Penalties* out) {
  const Json* biases = fields.find("logit_bias");
  if (!biases) return;
  if (!biases->is_object())
    return fields.fail("logit_bias", "must be an object from token ids to numbers");
  for (const auto& [key, bias] : biases->items()) {
    if (bias.is_null()) continue;
    uint32_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || key.empty())
      return fields.fail("logit_bias", "the key '" + key + "' is no token id");
    if (!bias.is_number()) return fields.fail("logit_bias[" + key + "]", "must be a number");
    constexpr double kMost = std::numeric_limits<float>::max();
    (*out->mutable_logit_bias())[id] =
        static_cast<float>(std::clamp(bias.get<double>(), -kMost, kMost));
  }
}

void read_penalties(Fields& fields, v1::Penalties* out) {
  if (const auto v = fields.number("presence_penalty")) out->set_presence_penalty(*v);
  if (const auto v = fields.number("frequency_penalty")) out->set_frequency_penalty(*v);
  if (const auto v = fields.number("repetition_penalty")) out->set_repetition_penalty(*v);
  read_logit_bias(fields, out);
}

void read_stopping(Fields& fields, v1::Stopping* out) {
  if (const auto v = fields.integer("min_tokens", 0, kMaxInt32)) out->set_min_tokens(*v);
  for (std::string& stop : fields.strings("stop")) out->add_stop(std::move(stop));
  if (const auto v = fields.boolean("include_stop_str_in_output"))
    out->set_include_stop_str_in_output(*v);
  set_ids(fields.ids("stop_token_ids"), out->mutable_stop_token_ids());
  if (const auto v = fields.boolean("ignore_eos")) out->set_ignore_eos(*v);
}

void read_constraints(Fields& fields, v1::Constraints* out) {
  set_ids(fields.ids("allowed_token_ids"), out->mutable_allowed_token_ids());
  for (std::string& word : fields.strings("bad_words")) out->add_bad_words(std::move(word));
}

void read_priority(Fields& fields, v1::GenerateRequest* out) {
  const Json* value = fields.find("priority");
  if (!value || *value == 0) return;  // vLLM's default
  const auto name = fields.string("priority");
  if (!name) return;
  std::string full = "PRIORITY_CLASS_" + *name;
  for (char& c : full) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  v1::PriorityClass priority = v1::PRIORITY_CLASS_UNSPECIFIED;
  if (!v1::PriorityClass_Parse(full, &priority) || priority == v1::PRIORITY_CLASS_UNSPECIFIED)
    return fields.fail("priority",
                       "must be system, interactive, default or bulk, is '" + *name + "'");
  out->mutable_scheduling()->set_priority(priority);
}

void read_scheduling(Fields& fields, v1::GenerateRequest* out) {
  read_priority(fields, out);
  if (const auto v = fields.integer("expected_output_tokens", 0, kMaxInt32))
    out->mutable_scheduling()->set_expected_output_tokens(static_cast<uint32_t>(*v));
}

void read_stream(Fields& fields, AnswerOptions* out) {
  out->stream = fields.boolean("stream").value_or(false);
  const Json* options = fields.find("stream_options");
  if (!options) return;
  Fields members(*options, "stream_options", fields);
  out->include_usage = members.boolean("include_usage").value_or(false);
  out->continuous_usage = members.boolean("continuous_usage_stats").value_or(false);
  members.only("include_obfuscation", {false}, "this server pads no chunks");
  if (auto error = members.finish()) return fields.fail(*std::move(error));
  if (!out->stream && (out->include_usage || out->continuous_usage))
    fields.fail("stream_options", "goes with stream only");
}

void read_response(Fields& fields, v1::GenerateRequest* out, AnswerOptions* options) {
  if (const auto v = fields.boolean("skip_special_tokens")) {
    out->mutable_response()->set_skip_special_tokens(*v);
    options->skip_special_tokens = *v;
  }
  if (const auto v = fields.boolean("spaces_between_special_tokens"))
    out->mutable_response()->set_spaces_between_special_tokens(*v);
  options->return_token_ids = fields.boolean("return_token_ids").value_or(false);
  if (const auto v = fields.integer("prompt_logprobs", 0, kMaxInt32)) {
    out->mutable_response()->set_prompt_logprobs(static_cast<uint32_t>(*v));
    options->prompt_logprobs = true;
    if (options->stream) fields.fail("prompt_logprobs", "does not go with stream");
  }
}

// ---- /v1/completions ----

void set_ids(const Json& ids, const std::string& name, Fields& fields, v1::GenerateRequest* out) {
  auto& to = *out->mutable_token_ids()->mutable_ids();
  for (const Json& item : ids) {
    const std::optional<uint32_t> id = to_id(item);
    if (!id)
      return fields.fail(name + "[" + std::to_string(to.size()) + "]",
                         "must be a token id, is " + dump(item).substr(0, kMaxShown));
    to.Add(*id);
  }
}

// One request a prompt, each a copy of `common`.
void read_prompts(Fields& fields, const v1::GenerateRequest& common,
                  std::vector<v1::GenerateRequest>* out) {
  const Json* prompt = fields.find("prompt");
  if (!prompt) return fields.fail("prompt", "missing");
  const auto add = [&](const Json& one, const std::string& name) {
    v1::GenerateRequest& request = out->emplace_back(common);
    if (one.is_string())
      request.set_text(one.get<std::string>());
    else if (one.is_array())
      set_ids(one, name, fields, &request);
    else
      fields.fail(name,
                  "must be a string or an array of token ids, is " + std::string(one.type_name()));
  };
  const bool many = prompt->is_array() && !prompt->empty() && !prompt->front().is_number();
  if (!many) return add(*prompt, "prompt");
  if (prompt->size() > kMaxPrompts)
    return fields.fail("prompt", std::to_string(prompt->size()) + " prompts, at most " +
                                     std::to_string(kMaxPrompts));
  for (size_t i = 0; i < prompt->size() && fields.ok(); ++i)
    add((*prompt)[i], "prompt[" + std::to_string(i) + "]");
}

void read_max_tokens(Fields& fields, v1::GenerateRequest* out, AnswerOptions* options) {
  const auto most = fields.integer("max_tokens", 0, kMaxInt32);
  if (!most) return;
  options->prompt_only = *most == 0 && options->echo;
  out->mutable_sampling()->mutable_stopping()->set_max_tokens(
      options->prompt_only ? 1 : static_cast<uint32_t>(*most));
}

void read_completion_logprobs(Fields& fields, v1::GenerateRequest* out, AnswerOptions* options) {
  const auto num = fields.integer("logprobs", 0, kMaxInt32);
  if (!num) return;
  options->logprobs = options->text_offsets = true;
  out->mutable_response()->set_logprobs(static_cast<uint32_t>(*num));
  if (options->echo && !out->response().has_prompt_logprobs())
    out->mutable_response()->set_prompt_logprobs(static_cast<uint32_t>(*num));
}

}  // namespace

void read_common(Fields& fields, v1::GenerateRequest* out, AnswerOptions* options) {
  if (auto v = fields.string("model")) out->set_model(*std::move(v));
  if (auto v = fields.string("request_id")) out->set_request_id(*std::move(v));
  v1::SamplingParams& sampling = *out->mutable_sampling();
  read_random(fields, sampling.mutable_random());
  read_penalties(fields, sampling.mutable_penalties());
  read_stopping(fields, sampling.mutable_stopping());
  read_constraints(fields, sampling.mutable_constraints());
  if (const auto v = fields.integer("n", 0, kMaxInt32)) sampling.set_n(static_cast<uint32_t>(*v));
  read_scheduling(fields, out);
  read_stream(fields, options);
  read_response(fields, out, options);
  if (const auto v = fields.integer("truncate_prompt_tokens", -1, kMaxInt32))
    out->set_truncate_prompt_tokens(static_cast<uint32_t>(*v < 0 ? kMaxInt32 : *v));
  std::vector<Json> best_of{1};
  if (sampling.n() > 1) best_of.push_back(sampling.n());
  fields.only("best_of", best_of, "all n answers are given, as they are");
}

std::optional<ApiError> parse_completion(const Json& body, IgnoredFields* ignored,
                                         GenerateBody* out) {
  Fields fields(body, ignored);
  v1::GenerateRequest common;
  AnswerOptions& options = out->options;
  read_common(fields, &common, &options);
  options.echo = fields.boolean("echo").value_or(false);
  read_max_tokens(fields, &common, &options);
  read_completion_logprobs(fields, &common, &options);
  if (options.needs_prompt() || options.return_token_ids)
    common.mutable_response()->set_echo_prompt_token_ids(true);
  read_compat_fields(fields, Endpoint::kCompletions);
  read_prompts(fields, common, &out->requests);
  if (const auto v = fields.boolean("add_special_tokens"))
    for (v1::GenerateRequest& request : out->requests)
      request.mutable_text_options()->set_add_special_tokens(*v);
  return fields.finish();
}

std::optional<ApiError> parse_chat(const Json& body, IgnoredFields* ignored, GenerateBody* out) {
  Fields fields(body, ignored);
  v1::GenerateRequest& request = out->requests.emplace_back();
  AnswerOptions& options = out->options;
  read_common(fields, &request, &options);
  // The older name; where both are given the newer holds.
  const auto older = fields.integer("max_tokens", 1, kMaxInt32);
  const auto newer = fields.integer("max_completion_tokens", 1, kMaxInt32);
  if (newer || older)
    request.mutable_sampling()->mutable_stopping()->set_max_tokens(
        static_cast<uint32_t>(newer ? *newer : *older));
  options.logprobs = fields.boolean("logprobs").value_or(false);
  const auto num_top = fields.integer("top_logprobs", 0, int64_t(param_range::kLogprobs.highest));
  if (num_top && *num_top > 0 && !options.logprobs)
    fields.fail("top_logprobs", "goes with logprobs: true only");
  if (options.logprobs)
    request.mutable_response()->set_logprobs(static_cast<uint32_t>(num_top.value_or(0)));
  if (options.return_token_ids) request.mutable_response()->set_echo_prompt_token_ids(true);
  options.parallel_tool_calls = fields.boolean("parallel_tool_calls").value_or(true);
  read_chat(fields, request.mutable_chat(), &options.parse_tool_calls);
  if (options.parse_tool_calls)  // else the parser would not see them where they are special
    for (const std::string_view tag : {kToolCallOpen, kToolCallClose})
      request.mutable_response()->add_shown_special_tokens(std::string(tag));
  read_compat_fields(fields, Endpoint::kChat);
  return fields.finish();
}

}  // namespace tern::http
