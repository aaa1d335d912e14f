#include "server/config_schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <limits>

#include "engine/decode/param_ranges.h"
#include "scheduler/policy.h"

namespace tern {
namespace {

using namespace param_range;

constexpr double kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr double kTiB = 1024.0 * 1024 * 1024 * 1024;
constexpr double kDay = 86400;

// The field of Config behind a key that counts at start only, and behind one that a reload changes.
#define SLOT(member) \
  [](Config& config, const ConfigKey&) -> ConfigSlot { return &config.member; }, false
#define LIVE(member) \
  [](Config& config, const ConfigKey&) -> ConfigSlot { return &config.member; }, true

// The choices of scheduler.policy.
std::string_view policy_choices() {
  static const std::string choices = [] {
    std::string out;
    for (const PolicyInfo& policy : policies())
      out.append(out.empty() ? "" : "|").append(policy.name);
    return out;
  }();
  return choices;
}

// All keys but those of the section "policy".
const ConfigKey kKeys[] = {
    {"model.path", SLOT(engine.model_dir),
     "Model directory or GGUF file, or the name of a bundled model."},
    {"model.name", SLOT(engine.served_name),
     "Name that clients see; empty: the directory's, or the GGUF file's without its ending."},
    {"model.config_file", SLOT(engine.hf_config_file), "Read instead of the model's config.json."},
    {"model.chat_template", SLOT(engine.chat_template_file),
     "File with a Jinja chat template; empty: the model's own."},
    {"model.compute", SLOT(engine.compute),
     "Arithmetic of the linear layers; fast: bf16 activations where the CPU gains by them.", 0, 0,
     "default|fast|f32"},
    {"model.max_model_len", SLOT(engine.max_model_len),
     "Tokens of one sequence, prompt and answer; 0: what the model allows.", 0, kMaxInt32},

    {"sampling.temperature", SLOT(engine.sampling.temperature),
     "What counts where a request does not say it; auto: as the model's generation_config.json or, "
     "where it has none, its publisher proposes. 0: the most probable token.",
     kTemperature.lowest, kTemperature.highest},
    {"sampling.top_p", SLOT(engine.sampling.top_p), "Mass of the tokens that are drawn from.",
     kTopP.lowest, kTopP.highest},
    {"sampling.top_k", SLOT(engine.sampling.top_k), "Their number; 0: all.", kTopK.lowest,
     kTopK.highest},
    {"sampling.min_p", SLOT(engine.sampling.min_p), "Their least share of the most probable one's.",
     kMinP.lowest, kMinP.highest},
    {"sampling.repetition_penalty", SLOT(engine.sampling.repetition_penalty),
     "Of tokens of prompt and answer; 1: none.", kLeastDefaultRepetitionPenalty,
     kRepetitionPenalty.highest},
    {"sampling.presence_penalty", SLOT(engine.sampling.presence_penalty),
     "Of tokens of the answer, once; 0: none.", kPresencePenalty.lowest, kPresencePenalty.highest},
    {"sampling.frequency_penalty", SLOT(engine.sampling.frequency_penalty),
     "Of tokens of the answer, each time; 0: none.", kFrequencyPenalty.lowest,
     kFrequencyPenalty.highest},
    {"sampling.max_tokens", SLOT(engine.sampling.max_tokens),
     "Of an answer; auto: what the context leaves.", 1, kMaxTokens.highest},

    {"engine.device", SLOT(engine.device),
     "What computes the model: cpu, or the device of a plug-in (cuda, cuda:1)."},
    {"engine.num_threads", SLOT(engine.num_threads),
     "Compute threads; 0: one a CPU (of the quota, where there is one), less one for I/O where "
     "there are more than two.",
     0, 1024},
    {"engine.kv_cache_bytes", SLOT(engine.kv_cache_bytes),
     "Memory for keys and values, taken at the start; 0: as needed, at most half of what is free, "
     "and taken as it is used.",
     0, 64 * kTiB},
    {"engine.simulate", SLOT(engine.simulate),
     "No model: simulated steps and answers, to try everything around the model."},

    {"simulate.step_base", SLOT(engine.simulated_step.base),
     "Of a simulated step: what every one takes.", 0, 60},
    {"simulate.step_per_token", SLOT(engine.simulated_step.per_token),
     "And for each of its tokens.", 0, 60},
    {"simulate.step_per_sequence", SLOT(engine.simulated_step.per_sequence),
     "And for each of its sequences.", 0, 60},

    {"scheduler.policy", LIVE(engine.scheduler.policy.name), "Who is admitted first.", 0, 0,
     policy_choices()},
    {"scheduler.ranker", LIVE(engine.ranker),
     "Who says from a prompt how long its answer will be, for pars and hrrn: a bundled ranker or a "
     "file; empty: "
     "nobody."},
    {"scheduler.max_num_seqs", LIVE(engine.scheduler.max_num_seqs), "Sequences running at once.", 1,
     65536},
    {"scheduler.max_num_batched_tokens", LIVE(engine.scheduler.max_num_batched_tokens),
     "Tokens of one step; longer prompts are prefilled in chunks.", 1, 1 << 20},
    {"scheduler.block_size", SLOT(engine.scheduler.block_size), "Tokens of a KV block.", 1, 1024},
    {"scheduler.enable_prefix_caching", LIVE(engine.scheduler.enable_prefix_caching),
     "Reuse the keys and values of prompts that begin alike."},
    {"scheduler.max_preemptions", SLOT(engine.scheduler.max_preemptions),
     "Preemptions of one sequence; then it is admitted only with all its blocks reserved.", 0,
     1000},

    {"server.listen", SLOT(server.listen), "Addresses: HOST:PORT, [IPV6]:PORT or unix:PATH.", 1},
    {"server.max_receive_bytes", SLOT(server.max_receive_bytes), "One request message.", 1024,
     1 << 30},
    {"server.min_ping_interval", SLOT(server.min_ping_interval),
     "Clients and routers may ping idle connections this often.", 0.1, kDay},
    {"server.reflection", SLOT(server.reflection),
     "Serve grpc.reflection: tools can list the API."},

    {"http.listen", SLOT(server.http.listen),
     "Addresses of the OpenAI-compatible HTTP API, as in server.listen; auto: 127.0.0.1:8000 where "
     "that is free; off: no HTTP."},
    {"http.max_body_bytes", SLOT(server.http.max_body_bytes), "One request's body.", 1024, 1 << 30},
    {"http.max_streams", SLOT(server.http.max_streams),
     "Completions over HTTP at once, a thread each; more are refused.", 1, 16384},
    {"http.cors_origin", SLOT(server.http.cors_origin),
     "Web pages of this origin may use the API (*: of any); empty: of none."},
    {"http.unknown_fields", SLOT(server.http.unknown_fields),
     "A field that this server does not know: refuse the request, or pass over the field and warn "
     "in the header X-Tern-Ignored-Fields.",
     0, 0, "refuse|warn"},

    {"admin.listen", SLOT(server.admin_listen),
     "Where operators reach tern.v1.Admin; auto: a unix socket named after server.listen; empty: "
     "nowhere."},

    {"health.max_silence", SLOT(server.health.max_silence),
     "An engine that has work and is silent for longer is reported as not serving.", 0.1, kDay},
    {"health.watchdog_timeout", SLOT(server.health.watchdog_timeout),
     "After such a silence the process logs the engine's state and aborts; 0s: never.", 0, kDay},

    {"limits.max_queued_requests", LIVE(engine.queue.max_queued_requests),
     "Requests that wait for the engine; more are refused.", 1, kMaxInt32},
    {"limits.max_queued_tokens", LIVE(engine.queue.max_queued_tokens),
     "Prompt tokens that wait for the engine; more are refused.", 1, 1e15},
    {"limits.reserved_queue_system", LIVE(engine.queue.reserved_queue_system),
     "Of max_queued_requests, for the class system alone.", 0, kMaxInt32},
    {"limits.reserved_queue_interactive", LIVE(engine.queue.reserved_queue_interactive),
     "Of max_queued_requests, for the classes system and interactive.", 0, kMaxInt32},
    {"limits.max_prompt_bytes", SLOT(server.limits.max_prompt_bytes), "Text of one prompt.", 1,
     1 << 30},
    {"limits.max_stop_strings", SLOT(server.limits.max_stop_strings),
     "Stop strings of one request.", 0, 1024},
    {"limits.max_stop_string_bytes", SLOT(server.limits.max_stop_string_bytes),
     "Bytes of one stop string.", 1, 65536},
    {"limits.max_stop_token_ids", SLOT(server.limits.max_stop_token_ids),
     "Stop token ids of one request.", 0, 65536},
    {"limits.max_logit_bias", SLOT(server.limits.max_logit_bias),
     "Entries of one request's logit_bias.", 0, 1 << 20},
    {"limits.max_allowed_token_ids", SLOT(server.limits.max_allowed_token_ids),
     "Allowed token ids of one request.", 0, 1 << 20},
    {"limits.max_bad_words", SLOT(server.limits.max_bad_words),
     "Bad words of one request, each of at most max_stop_string_bytes.", 0, 65536},
    {"limits.max_n", SLOT(server.limits.max_n), "Answers to one prompt.", 1, 128},
    {"limits.max_buffered_tokens", SLOT(server.limits.max_buffered_tokens),
     "Tokens of a stream that wait for a slow reader; then its request leaves the batch.", 1,
     1 << 20},
    {"limits.max_reader_pause", SLOT(server.limits.max_reader_pause),
     "A request whose reader keeps it out of the batch for longer is ended.", 0, kDay},
    {"limits.max_request_duration", SLOT(server.limits.max_request_duration),
     "Requests without a nearer deadline end after this; 0s: never.", 0, 30 * kDay},

    {"shutdown.notice", LIVE(drain_notice),
     "After SIGTERM health says not serving for this long while requests are still taken, so that "
     "routers turn away first.",
     0, kDay},
    {"shutdown.drain_timeout", LIVE(drain_timeout),
     "After SIGTERM live requests may finish for this long; a second signal ends them at once.", 0,
     kDay},

    {"log.level", LIVE(log_level), "What is logged, to stderr.", 0, 0,
     "trace|debug|info|warn|error|off"},
    {"log.format", SLOT(log_format),
     "How lines look: for people, one JSON object each, or name=value throughout.", 0, 0,
     "text|json|logfmt"},
    {"log.prompts", SLOT(server.log_prompts),
     "The line of a finished request shows the first 200 characters of its prompt."},

    {"metrics.compat", SLOT(server.metrics.compat),
     "Besides tern_*, the names that tools made for vLLM scrape.", 0, 0, "none|vllm"},
};

#undef SLOT
#undef LIVE

constexpr std::string_view kPolicySection = "policy.";

// Where PolicyConfig keeps the setting behind a key of the section "policy".
ConfigSlot policy_slot(Config& config, const ConfigKey& key) {
  const std::string name(key.path.substr(kPolicySection.size()));
  return &config.engine.scheduler.policy.settings.try_emplace(name, key.fallback).first->second;
}

void add_policy_keys(std::vector<ConfigKey>* out) {
  static std::deque<std::string> paths;  // which the keys point to
  for (const PolicyKey* key : policy_keys())
    out->push_back({.path = paths.emplace_back(kPolicySection).append(key->name),
                    .find = policy_slot,
                    .reloadable = true,
                    .doc = key->doc,
                    .min = key->besides.value_or(key->lowest),
                    .max = key->highest,
                    .fallback = key->fallback,
                    .is_integer = key->is_integer});
}

// The paths that keys had in earlier versions.
struct FormerPath {
  std::string_view former, path;
};
constexpr FormerPath kFormerPaths[] = {
    {"scheduler.reserved_seqs_system", "policy.reserved_seqs_system"},
    {"scheduler.reserved_seqs_interactive", "policy.reserved_seqs_interactive"},
};

struct Unit {
  std::string_view name;
  double factor;
};

constexpr Unit kByteUnits[] = {{"", 1},          {"B", 1},     {"K", 1e3},       {"M", 1e6},
                               {"G", 1e9},       {"T", 1e12},  {"KiB", 1 << 10}, {"MiB", 1 << 20},
                               {"GiB", 1 << 30}, {"TiB", kTiB}};
constexpr Unit kTimeUnits[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};

template <class... Ts>
struct Overload : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overload(Ts...) -> Overload<Ts...>;  // clang 14 does not deduce aggregates by itself

template <class Float>
std::string number(Float value) {
  char text[32];
  const bool is_whole = value == std::floor(value) && std::abs(value) < 1e15;
  const auto end = is_whole ? std::to_chars(text, text + sizeof text, static_cast<int64_t>(value))
                            : std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

std::string limits_of(const ConfigKey& key) {
  return "[" + number(key.min) + ", " + number(key.max) + "]";
}

// Number, optional blank, unit. NaN where it is none of them.
double with_unit(const std::string& text, std::span<const Unit> units) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc()) return NAN;
  std::string_view unit(rest, end - rest);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto found = std::ranges::find(units, unit, &Unit::name);
  if (found != units.end()) return value * found->factor;
  return value == 0 && unit.empty() ? 0 : NAN;  // zero needs no unit
}

Status wrong(const std::string& what, const std::string& text) {
  return invalid_argument("must be " + what + ", is '" + text + "'");
}

Status check_range(const ConfigKey& key, double value, const std::string& text) {
  if (value >= key.min && value <= key.max) return {};
  return invalid_argument("must be in " + limits_of(key) + ", is " + text);
}

template <class Integer>
Status parse_integer(const ConfigKey& key, const std::string& text, Integer* out) {
  Integer value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (rest != end || (error != std::errc() && error != std::errc::result_out_of_range))
    return wrong("a whole number", text);
  if (error != std::errc())
    return invalid_argument("must be in " + limits_of(key) + ", is " + text);
  TERN_TRY(check_range(key, static_cast<double>(value), text));
  *out = value;
  return {};
}

constexpr std::string_view kAuto = "auto";

Status parse_real(const ConfigKey& key, const std::string& text, const char* what, double* out) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (rest != end || error != std::errc() || !std::isfinite(value)) return wrong(what, text);
  if (key.is_integer && value != std::floor(value)) return wrong("a whole number", text);
  TERN_TRY(check_range(key, value, text));
  *out = value;
  return {};
}

Status parse_number(const ConfigKey& key, const std::string& text, float* out) {
  double value = 0;  // in which the limits are exact
  TERN_TRY(parse_real(key, text, "a number, or auto", &value));
  *out = static_cast<float>(value);
  return {};
}

Status parse_number(const ConfigKey& key, const std::string& text, int32_t* out) {
  return parse_integer(key, text, out);
}

template <class Number>
Status parse_optional(const ConfigKey& key, const std::string& text, std::optional<Number>* out) {
  if (text == kAuto) {
    out->reset();
    return {};
  }
  return parse_number(key, text, &out->emplace());
}

Status parse_bool(const std::string& text, bool* out) {
  if (text != "true" && text != "false") return wrong("true or false", text);
  *out = text == "true";
  return {};
}

Status parse_size(const ConfigKey& key, const std::string& text, uint64_t* out) {
  const double bytes = with_unit(text, kByteUnits);
  if (std::isnan(bytes)) return wrong("a size (B, K, M, G, KiB, MiB, GiB)", text);
  TERN_TRY(check_range(key, bytes, text));
  *out = static_cast<uint64_t>(bytes);
  return {};
}

Status parse_duration(const ConfigKey& key, const std::string& text, Seconds* out) {
  const double seconds = with_unit(text, kTimeUnits);
  if (std::isnan(seconds)) return wrong("a duration with its unit (us, ms, s, m, h)", text);
  TERN_TRY(check_range(key, seconds, text));
  *out = Seconds(seconds);
  return {};
}

std::string comma_list(std::string_view choices) {
  std::string out;
  for (const char c : choices) c == '|' ? void(out += ", ") : out.push_back(c);
  return out;
}

Status parse_string(const ConfigKey& key, const std::string& text, std::string* out) {
  const std::string all = "|" + std::string(key.choices) + "|";
  const bool known = all.find("|" + text + "|") != std::string::npos;
  if (!key.choices.empty() && (text.empty() || !known))
    return wrong("one of " + comma_list(key.choices), text);
  *out = text;
  return {};
}

std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + '"';
}

std::string print_size(uint64_t bytes) {
  for (const Unit& unit : {Unit{"GiB", 1 << 30}, Unit{"MiB", 1 << 20}, Unit{"KiB", 1 << 10}}) {
    const auto factor = static_cast<uint64_t>(unit.factor);
    if (bytes > 0 && bytes % factor == 0) return std::to_string(bytes / factor).append(unit.name);
  }
  return std::to_string(bytes);
}

std::string print_duration(Seconds duration) {
  const double seconds = duration.count();
  if (seconds == std::floor(seconds)) return number(seconds) + "s";
  return seconds < 1e-3 ? number(seconds * 1e6) + "us" : number(seconds * 1e3) + "ms";
}

std::string print_list(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& item : list) {
    if (out.size() > 1) out += ", ";
    out += in_quotes(item);
  }
  return out + "]";
}

}  // namespace

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all;
    for (const ConfigKey& key : kKeys) {
      const bool ends_scheduler = !all.empty() && all.back().path.starts_with("scheduler.") &&
                                  !key.path.starts_with("scheduler.");
      if (ends_scheduler) add_policy_keys(&all);
      all.push_back(key);
    }
    return all;
  }();
  return keys;
}

const ConfigKey* find_config_key(std::string_view path) {
  const auto former = std::ranges::find(kFormerPaths, path, &FormerPath::former);
  if (former != std::end(kFormerPaths)) path = former->path;
  const auto keys = config_keys();
  const auto found = std::ranges::find(keys, path, &ConfigKey::path);
  return found == keys.end() ? nullptr : &*found;
}

Status parse_value(const ConfigKey& key, const std::string& text, ConfigSlot slot) {
  return std::visit(
      Overload{[&](bool* out) { return parse_bool(text, out); },
               [&](int32_t* out) { return parse_integer(key, text, out); },
               [&](int64_t* out) { return parse_integer(key, text, out); },
               [&](double* out) {
                 return parse_real(key, text, key.is_integer ? "a whole number" : "a number", out);
               },
               [&](uint64_t* out) { return parse_size(key, text, out); },
               [&](Seconds* out) { return parse_duration(key, text, out); },
               [&](std::string* out) { return parse_string(key, text, out); },
               [&](std::optional<float>* out) { return parse_optional(key, text, out); },
               [&](std::optional<int32_t>* out) { return parse_optional(key, text, out); },
               [&](std::vector<std::string>* out) {
                 out->assign(1, text);
                 return Status();
               }},
      slot);
}

void copy_value(ConfigSlot from, ConfigSlot to) {
  std::visit([&](auto* value) { *std::get<decltype(value)>(to) = *value; }, from);
}

std::string print_value(ConfigSlot slot) {
  return std::visit(
      Overload{
          [](bool* v) { return std::string(*v ? "true" : "false"); },
          [](int32_t* v) { return std::to_string(*v); },
          [](int64_t* v) { return std::to_string(*v); }, [](double* v) { return number(*v); },
          [](uint64_t* v) { return print_size(*v); }, [](Seconds* v) { return print_duration(*v); },
          [](std::string* v) { return in_quotes(*v); },
          [](std::vector<std::string>* v) { return print_list(*v); },
          [](std::optional<float>* v) { return *v ? number(**v) : std::string(kAuto); },
          [](std::optional<int32_t>* v) { return *v ? std::to_string(**v) : std::string(kAuto); }},
      slot);
}

std::string print_range(const ConfigKey& key, ConfigSlot slot) {
  if (!key.choices.empty()) return "[" + comma_list(key.choices) + "]";
  return std::visit(
      Overload{[](bool*) { return std::string("[true, false]"); },
               [&](int32_t*) { return limits_of(key); }, [&](int64_t*) { return limits_of(key); },
               [&](double*) { return limits_of(key); },
               [&](uint64_t*) {
                 return "[" + print_size(static_cast<uint64_t>(key.min)) + ", " +
                        print_size(static_cast<uint64_t>(key.max)) + "]";
               },
               [&](Seconds*) {
                 return "[" + print_duration(Seconds(key.min)) + ", " +
                        print_duration(Seconds(key.max)) + "]";
               },
               [](std::string*) { return std::string(); },
               [](std::vector<std::string>*) { return std::string(); },
               [&](std::optional<float>*) { return limits_of(key) + " or auto"; },
               [&](std::optional<int32_t>*) { return limits_of(key) + " or auto"; }},
      slot);
}

}  // namespace tern
