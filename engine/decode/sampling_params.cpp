#include "engine/decode/sampling_params.h"

#include <algorithm>
#include <sstream>

#include "engine/decode/param_ranges.h"

namespace tern {
namespace {

Status check_at_most(std::string_view field, int64_t value, int64_t most) {
  if (value <= most) return {};
  return invalid_argument(std::string(field) + ": at most " + std::to_string(most) + ", is " +
                          std::to_string(value));
}

Status check_not_empty(const char* field, const std::vector<std::string>& strings,
                       const char* what) {
  const bool bad = std::any_of(strings.begin(), strings.end(), [](auto& s) { return s.empty(); });
  return bad ? invalid_argument(std::string(field) + ": " + what + " must not be empty") : Status();
}

Status check_logprobs(const ParamRange& range, const std::optional<int32_t>& count) {
  if (!count || range.contains(*count)) return {};
  TERN_TRY(check_at_most(range.name, *count, int64_t(range.highest)));
  return range.check(*count);
}

Status check_id(const char* field, int32_t id, int32_t vocab_size) {
  if (id >= 0 && id < vocab_size) return {};
  return invalid_argument(std::string(field) + ": token id " + std::to_string(id) +
                          " is outside the vocabulary of " + std::to_string(vocab_size));
}

}  // namespace

Status SamplingParams::validate() const {
  using namespace param_range;
  TERN_TRY(kTemperature.check(temperature));
  TERN_TRY(kTopP.check(top_p));
  TERN_TRY(kMinP.check(min_p));
  TERN_TRY(kPresencePenalty.check(presence_penalty));
  TERN_TRY(kFrequencyPenalty.check(frequency_penalty));
  TERN_TRY(kRepetitionPenalty.check(repetition_penalty));
  for (const LogitBias& entry : logit_bias) TERN_TRY(kLogitBias.check(entry.bias));
  TERN_TRY(kTopK.check(top_k));
  TERN_TRY(kMaxTokens.check(max_tokens));
  TERN_TRY(kMinTokens.check(min_tokens));
  TERN_TRY(validate_min_tokens());
  TERN_TRY(kN.check(n));
  if (n > 1 && is_greedy())
    return invalid_argument(
        "n: must be 1 where the temperature is 0, as all answers would be one; is " +
        std::to_string(n));
  TERN_TRY(check_not_empty("stop", stop, "a stop string"));
  TERN_TRY(check_not_empty("bad_words", bad_words, "a bad word"));
  TERN_TRY(check_logprobs(kLogprobs, logprobs));
  TERN_TRY(check_logprobs(kPromptLogprobs, prompt_logprobs));
  return check_at_most(kNumLogprobTokenIds.name, int64_t(logprob_token_ids.size()),
                       int64_t(kNumLogprobTokenIds.highest));
}

Status SamplingParams::validate_min_tokens() const {
  return max_tokens > 0 ? check_at_most("min_tokens", min_tokens, max_tokens) : Status();
}

Status SamplingParams::validate_ids(int32_t vocab_size) const {
  for (const LogitBias& entry : logit_bias)
    TERN_TRY(check_id("logit_bias", entry.token_id, vocab_size));
  for (const int32_t id : allowed_token_ids)
    TERN_TRY(check_id("allowed_token_ids", id, vocab_size));
  for (const int32_t id : stop_token_ids) TERN_TRY(check_id("stop_token_ids", id, vocab_size));
  for (const int32_t id : logprob_token_ids)
    TERN_TRY(check_id("logprob_token_ids", id, vocab_size));
  return {};
}

namespace {

/// The fields of both kinds that a model, or its operator, may set.
template <class Visit>
void visit_defaults(Visit&& visit) {
  visit("temperature", &SamplingDefaults::temperature, &SamplingParams::temperature);
  visit("top_p", &SamplingDefaults::top_p, &SamplingParams::top_p);
  visit("top_k", &SamplingDefaults::top_k, &SamplingParams::top_k);
  visit("min_p", &SamplingDefaults::min_p, &SamplingParams::min_p);
  visit("repetition_penalty", &SamplingDefaults::repetition_penalty,
        &SamplingParams::repetition_penalty);
  visit("presence_penalty", &SamplingDefaults::presence_penalty, &SamplingParams::presence_penalty);
  visit("frequency_penalty", &SamplingDefaults::frequency_penalty,
        &SamplingParams::frequency_penalty);
  visit("max_tokens", &SamplingDefaults::max_tokens, &SamplingParams::max_tokens);
}

}  // namespace

bool SamplingDefaults::any() const {
  bool any = false;
  visit_defaults([&](const char*, auto field, auto) { any |= (this->*field).has_value(); });
  return any;
}

void SamplingDefaults::fill_from(const SamplingDefaults& other) {
  visit_defaults([&](const char*, auto field, auto) {
    if (!(this->*field)) this->*field = other.*field;
  });
}

SamplingParams SamplingDefaults::params() const {
  SamplingParams params;
  visit_defaults([&](const char*, auto field, auto param) {
    params.*param = (this->*field).value_or(params.*param);
  });
  return params;
}

std::string describe(const SamplingDefaults& defaults) {
  std::ostringstream out;
  visit_defaults([&](const char* name, auto field, auto) {
    if (defaults.*field) out << (out.tellp() > 0 ? ", " : "") << name << " " << *(defaults.*field);
  });
  const std::string text = out.str();
  return text.empty() ? "neutral" : text;
}

}  // namespace tern
