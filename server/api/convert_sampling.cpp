#include <algorithm>

#include "server/api/convert_detail.h"

namespace tern::convert {
namespace {

using namespace param_range;

std::optional<double> if_set(bool is_set, double value) {
  return is_set ? std::optional(value) : std::nullopt;
}

Error set_random(const v1::RandomSampling& in, SamplingParams* out) {
  const auto refuse = [](const ParamRange& range, bool is_set, double value) {
    return check("sampling.random.", range, if_set(is_set, value));
  };
  TERN_REFUSE(refuse(kTemperature, in.has_temperature(), in.temperature()));
  TERN_REFUSE(refuse(kTopK, in.has_top_k(), in.top_k()));
  TERN_REFUSE(refuse(kTopP, in.has_top_p(), in.top_p()));
  TERN_REFUSE(refuse(kMinP, in.has_min_p(), in.min_p()));
  if (in.has_temperature()) out->temperature = in.temperature();
  if (in.has_top_k()) out->top_k = static_cast<int32_t>(in.top_k());
  if (in.has_top_p()) out->top_p = in.top_p();
  if (in.has_min_p()) out->min_p = in.min_p();
  out->seed = in.has_seed() ? in.seed() : random_bits();
  return {};
}

Error set_penalties(const v1::Penalties& in, int32_t vocab_size, const RequestLimits& limits,
                    SamplingParams* out) {
  const auto refuse = [](const ParamRange& range, bool is_set, double value) {
    return check("sampling.penalties.", range, if_set(is_set, value));
  };
  TERN_REFUSE(refuse(kPresencePenalty, in.has_presence_penalty(), in.presence_penalty()));
  TERN_REFUSE(refuse(kFrequencyPenalty, in.has_frequency_penalty(), in.frequency_penalty()));
  TERN_REFUSE(refuse(kRepetitionPenalty, in.has_repetition_penalty(), in.repetition_penalty()));
  if (in.has_presence_penalty()) out->presence_penalty = in.presence_penalty();
  if (in.has_frequency_penalty()) out->frequency_penalty = in.frequency_penalty();
  if (in.has_repetition_penalty()) out->repetition_penalty = in.repetition_penalty();

  TERN_REFUSE(check_count("sampling.penalties.logit_bias", int(in.logit_bias().size()),
                          limits.max_logit_bias, "entries"));
  for (const auto& [id, bias] : in.logit_bias()) {
    const std::string field = "sampling.penalties.logit_bias[" + std::to_string(id) + "]";
    if (id >= static_cast<uint32_t>(vocab_size))
      return bad_field(field, "the id is not below the vocabulary's " + std::to_string(vocab_size));
    if (bias != bias) return bad_field(field, "must be a number, is NaN");
    out->logit_bias.push_back({static_cast<int32_t>(id), std::clamp(bias, float(kLogitBias.lowest),
                                                                    float(kLogitBias.highest))});
  }
  // A map has no order of its own: equal requests must be equal to the bit.
  std::sort(out->logit_bias.begin(), out->logit_bias.end(),
            [](const LogitBias& a, const LogitBias& b) { return a.token_id < b.token_id; });
  return {};
}

// Strings of which none may be empty or too long.
Error check_strings(const google::protobuf::RepeatedPtrField<std::string>& strings,
                    const std::string& field, int max_count, int max_bytes) {
  TERN_REFUSE(check_count(field, strings.size(), max_count, "strings"));
  for (int i = 0; i < strings.size(); ++i) {
    const std::string element = field + "[" + std::to_string(i) + "]";
    if (strings[i].empty()) return bad_field(element, "empty");
    if (strings[i].size() > static_cast<size_t>(max_bytes))
      return bad_field(element, std::to_string(strings[i].size()) + " bytes, at most " +
                                    std::to_string(max_bytes));
  }
  return {};
}

Error need_tokenizer(const std::string& field, int count, const Engine& engine) {
  if (count == 0 || engine.tokenizer()) return {};
  return feature_disabled(field, field + ": the model has no tokenizer, so there is no text");
}

Error set_stopping(const v1::Stopping& in, const Engine& engine, const RequestLimits& limits,
                   SamplingParams* out) {
  // 0 would say what an unset max_tokens says.
  TERN_REFUSE(check("sampling.stopping.", kMaxTokens.from(1),
                    if_set(in.has_max_tokens(), in.max_tokens())));
  TERN_REFUSE(
      check("sampling.stopping.", kMinTokens, if_set(in.has_min_tokens(), in.min_tokens())));
  out->max_tokens = static_cast<int32_t>(in.max_tokens());
  out->min_tokens = static_cast<int32_t>(in.min_tokens());
  const std::string field = "sampling.stopping.stop";
  TERN_REFUSE(
      check_strings(in.stop(), field, limits.max_stop_strings, limits.max_stop_string_bytes));
  TERN_REFUSE(need_tokenizer(field, in.stop_size(), engine));
  out->stop = {in.stop().begin(), in.stop().end()};
  out->include_stop_str_in_output = in.include_stop_str_in_output();
  TERN_REFUSE(check_count("sampling.stopping.stop_token_ids", in.stop_token_ids_size(),
                          limits.max_stop_token_ids, "ids"));
  TERN_REFUSE(to_token_ids(in.stop_token_ids(), "sampling.stopping.stop_token_ids",
                           engine.model_info().vocab_size, &out->stop_token_ids));
  out->ignore_eos = in.ignore_eos();
  return {};
}

Error set_constraints(const v1::Constraints& in, const Engine& engine, const RequestLimits& limits,
                      SamplingParams* out) {
  TERN_REFUSE(check_count("sampling.constraints.allowed_token_ids", in.allowed_token_ids_size(),
                          limits.max_allowed_token_ids, "ids"));
  TERN_REFUSE(to_token_ids(in.allowed_token_ids(), "sampling.constraints.allowed_token_ids",
                           engine.model_info().vocab_size, &out->allowed_token_ids));
  const std::string field = "sampling.constraints.bad_words";
  TERN_REFUSE(
      check_strings(in.bad_words(), field, limits.max_bad_words, limits.max_stop_string_bytes));
  TERN_REFUSE(need_tokenizer(field, in.bad_words_size(), engine));
  out->bad_words = {in.bad_words().begin(), in.bad_words().end()};
  return {};
}

}  // namespace

Error set_sampling(const v1::SamplingParams& in, const Engine& engine, const RequestLimits& limits,
                   SamplingParams* out) {
  const ModelInfo& info = engine.model_info();
  *out = info.default_sampling.params();
  TERN_REFUSE(set_random(in.random(), out));
  TERN_REFUSE(set_penalties(in.penalties(), info.vocab_size, limits, out));
  TERN_REFUSE(set_stopping(in.stopping(), engine, limits, out));
  TERN_REFUSE(set_constraints(in.constraints(), engine, limits, out));
  TERN_REFUSE(check("sampling.", kN.up_to(limits.max_n), if_set(in.has_n(), in.n())));
  if (in.has_n()) out->n = static_cast<int32_t>(in.n());
  if (out->n > 1 && out->is_greedy())
    return conflict("sampling.n",
                    "must be 1 where the temperature is 0, as all answers would be "
                    "one; is " +
                        std::to_string(out->n));
  if (out->max_tokens > 0 && out->min_tokens > out->max_tokens)
    return conflict("sampling.stopping.min_tokens", "at most max_tokens (" +
                                                        std::to_string(out->max_tokens) + "), is " +
                                                        std::to_string(out->min_tokens));
  return {};
}

Error set_logprobs(const v1::ResponseOptions& in, int32_t vocab_size, SamplingParams* out) {
  TERN_REFUSE(check("response.", kLogprobs, if_set(in.has_logprobs(), in.logprobs())));
  TERN_REFUSE(
      check("response.", kPromptLogprobs, if_set(in.has_prompt_logprobs(), in.prompt_logprobs())));
  if (in.has_logprobs()) out->logprobs = static_cast<int32_t>(in.logprobs());
  if (in.has_prompt_logprobs()) out->prompt_logprobs = static_cast<int32_t>(in.prompt_logprobs());
  TERN_REFUSE(check_count("response.logprob_token_ids", in.logprob_token_ids_size(),
                          int(kNumLogprobTokenIds.highest), "ids"));
  return to_token_ids(in.logprob_token_ids(), "response.logprob_token_ids", vocab_size,
                      &out->logprob_token_ids);
}

}  // namespace tern::convert
