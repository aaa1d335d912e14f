#include "cli/support/sampling_options.h"

#include <map>
#include <string>

#include "base/decimal.h"

namespace tern {
namespace {

const std::map<std::string, v1::PriorityClass> kPriorities = {
    {"system", v1::PRIORITY_CLASS_SYSTEM},
    {"interactive", v1::PRIORITY_CLASS_INTERACTIVE},
    {"default", v1::PRIORITY_CLASS_DEFAULT},
    {"bulk", v1::PRIORITY_CLASS_BULK},
};

struct Bias {
  uint32_t token_id = 0;
  float bias = 0;
};

// "50=-1.5"
std::optional<Bias> parse_bias(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {};
  const auto id = parse_decimal<uint32_t>(std::string_view(text).substr(0, equals));
  const auto bias = parse_decimal<float>(std::string_view(text).substr(equals + 1));
  if (!id || !bias) return {};
  return Bias{*id, *bias};
}

std::string check_bias(const std::string& text) {
  return parse_bias(text) ? "" : "must be ID=BIAS, is '" + text + "'";
}

// "500ms" to "0.5". What is wrong with `text`, or nothing.
std::string to_seconds(std::string& text) {
  static const std::map<std::string, double> kUnits = {{"ms", 1e-3}, {"s", 1.0}, {"m", 60.0}};
  const size_t end = text.find_last_not_of("abcdefghijklmnopqrstuvwxyz") + 1;
  const auto found = kUnits.find(text.substr(end));
  const auto number =
      parse_decimal<double>(text.substr(0, text.find_last_not_of(' ', end - 1) + 1));
  if (found == kUnits.end() || !number || *number < 0)
    return "must be a time with its unit, such as 500ms, 10s or 2m, is '" + text + "'";
  text = std::to_string(*number * found->second);
  return "";
}

}  // namespace

void add_sampling_options(CLI::App& command, SamplingOptions& o) {
  const auto add_list = [&](const char* flag, std::vector<std::string>& list, const char* help) {
    return command.add_option(flag, list, help)->expected(1)->take_all();
  };
  command.option_defaults()->group("Length and end");
  command.add_option("--max-tokens", o.max_tokens,
                     "Most tokens of the answer [what the context leaves]");
  command.add_option("--min-tokens", o.min_tokens, "The answer does not end before [0]");
  add_list("--stop", o.stop, "End the answer where this text begins; repeatable");
  command.add_option("--stop-token-ids", o.stop_token_ids, "End the answer at these: 1,2,3")
      ->delimiter(',');
  command.add_flag("--ignore-eos", o.ignore_eos, "Go on after end-of-sequence tokens");
  command.option_defaults()->group("Sampling");
  command.add_option("--temperature", o.temperature, "0 = greedy [the model's default]");
  command.add_option("--top-p", o.top_p,
                     "Nucleus mass in [0, 1]; 0 = the most probable token [the model's default]");
  command.add_option("--top-k", o.top_k, "0 = off [the model's default]");
  command.add_option("--min-p", o.min_p, "In [0, 1] [the model's default]");
  command.add_option("--seed", o.seed, "Seed of the draws [the server chooses]");
  command.add_option("--presence-penalty", o.presence_penalty,
                     "In [-2, 2]: against tokens that the answer has [0]");
  command.add_option("--frequency-penalty", o.frequency_penalty,
                     "In [-2, 2]: the same for each time that it has them [0]");
  command.add_option("--repetition-penalty", o.repetition_penalty,
                     "Over 1: against tokens of prompt and answer [1]");
  add_list("--logit-bias", o.logit_bias, "ID=BIAS: added to a token's logit; repeatable")
      ->check(check_bias)
      ->option_text("ID=BIAS");
  command.add_option("--allowed-token-ids", o.allowed_token_ids, "Draw only from these: 1,2,3")
      ->delimiter(',');
  add_list("--bad-word", o.bad_words, "Never complete this word; repeatable");
  command.option_defaults()->group("Options");
}

void set_sampling(const SamplingOptions& o, v1::SamplingParams* out) {
  v1::RandomSampling& random = *out->mutable_random();
  if (o.temperature) random.set_temperature(*o.temperature);
  if (o.top_k) random.set_top_k(*o.top_k);
  if (o.top_p) random.set_top_p(*o.top_p);
  if (o.min_p) random.set_min_p(*o.min_p);
  if (o.seed) random.set_seed(*o.seed);
  v1::Penalties& penalties = *out->mutable_penalties();
  if (o.presence_penalty) penalties.set_presence_penalty(*o.presence_penalty);
  if (o.frequency_penalty) penalties.set_frequency_penalty(*o.frequency_penalty);
  if (o.repetition_penalty) penalties.set_repetition_penalty(*o.repetition_penalty);
  for (const std::string& text : o.logit_bias)
    if (const auto entry = parse_bias(text))
      (*penalties.mutable_logit_bias())[entry->token_id] = entry->bias;
  v1::Stopping& stopping = *out->mutable_stopping();
  if (o.max_tokens) stopping.set_max_tokens(*o.max_tokens);
  if (o.min_tokens) stopping.set_min_tokens(*o.min_tokens);
  if (o.ignore_eos) stopping.set_ignore_eos(true);
  for (const std::string& stop : o.stop) stopping.add_stop(stop);
  stopping.mutable_stop_token_ids()->Add(o.stop_token_ids.begin(), o.stop_token_ids.end());
  v1::Constraints& constraints = *out->mutable_constraints();
  constraints.mutable_allowed_token_ids()->Add(o.allowed_token_ids.begin(),
                                               o.allowed_token_ids.end());
  for (const std::string& word : o.bad_words) constraints.add_bad_words(word);
}

void add_scheduling_options(CLI::App& command, SchedulingOptions& o) {
  command.option_defaults()->group("Scheduling");
  command.add_option("--priority", o.priority, "system, interactive, default or bulk")
      ->check(CLI::IsMember({"system", "interactive", "default", "bulk"}))
      ->option_text("CLASS");
  command.add_option("--deadline", o.deadline_seconds, "Give up after this time: 500ms, 10s, 2m")
      ->option_text("TIME")
      ->transform(CLI::Validator(to_seconds, ""));
  command.option_defaults()->group("Options");
}

v1::PriorityClass priority_class(const SchedulingOptions& options) {
  return kPriorities.at(options.priority);
}

}  // namespace tern
