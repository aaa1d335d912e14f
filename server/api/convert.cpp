#include "server/api/convert.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>

#include "engine/text/chat_renderer.h"
#include "server/api/convert_detail.h"
#include "server/api/feature_gate.h"

namespace tern {
namespace convert {
Error check(std::string_view group, const ParamRange& range, const std::optional<double>& value) {
  if (!value || range.contains(*value)) return {};
  ApiError error = bad_field(std::string(group) + std::string(range.name), range.refuse(*value));
  error.metadata["value"] = range.print(*value);
  return error;
}

Error check_count(const std::string& field, int count, int limit, const char* what) {
  if (count <= limit) return {};
  return bad_field(field,
                   std::to_string(count) + " " + what + ", at most " + std::to_string(limit));
}

ApiError conflict(std::string field, std::string why) {
  ApiError error = bad_field(std::move(field), std::move(why));
  error.reason = "CONSTRAINT_CONFLICT";
  return error;
}

ApiError feature_disabled(std::string field, std::string message) {
  return {.code = Code::kFailedPrecondition,
          .reason = "FEATURE_DISABLED",
          .message = std::move(message),
          .field = std::move(field)};
}

uint64_t random_bits() {
  thread_local std::mt19937_64 generator = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return generator();
}

}  // namespace convert

namespace {

using convert::Error;

constexpr ParamRange kStreamInterval{"stream_interval", 1, 1024, 1};
constexpr ParamRange kTruncatePromptTokens{"truncate_prompt_tokens", 1, param_range::kMostInt, 0};
constexpr ParamRange kTopLogprobs{"top_logprobs", 0, param_range::kPromptLogprobs.highest, 0};
constexpr size_t kMaxRequestIdBytes = 128;
constexpr int kMaxShownTokens = 64;

// ---- identity ----

Error check_request_id(const std::string& id) {
  if (id.size() > kMaxRequestIdBytes)
    return bad_field("request_id", std::to_string(id.size()) + " bytes, at most " +
                                       std::to_string(kMaxRequestIdBytes));
  for (const char c : id)
    if (c <= ' ' || c > '~')
      return bad_field("request_id", "must be printable ASCII without spaces");
  return {};
}

PriorityClass to_priority(v1::PriorityClass priority) {
  switch (priority) {
    case v1::PRIORITY_CLASS_SYSTEM:
      return PriorityClass::kSystem;
    case v1::PRIORITY_CLASS_INTERACTIVE:
      return PriorityClass::kInteractive;
    case v1::PRIORITY_CLASS_BULK:
      return PriorityClass::kBulk;
    default:
      return PriorityClass::kDefault;
  }
}

Error set_scheduling(const v1::GenerateRequest& in, Request* request) {
  if (!v1::PriorityClass_IsValid(in.scheduling().priority()))
    return bad_field("scheduling.priority",
                     "no such class: " + std::to_string(in.scheduling().priority()));
  request->priority = to_priority(in.scheduling().priority());
  request->bypass_prefix_cache = in.cache().bypass_read();
  if (in.scheduling().has_expected_output_tokens())
    request->hinted_output_tokens = in.scheduling().expected_output_tokens();
  return {};
}

// ---- prompt ----

Error set_prompt(const v1::GenerateRequest& in, const Engine& engine, const RequestLimits& limits,
                 std::vector<int32_t>* ids) {
  if (in.has_text_options() && in.input_case() != v1::GenerateRequest::kText)
    return convert::conflict("text_options", "goes with `text` only");
  switch (in.input_case()) {
    case v1::GenerateRequest::kText:
      TERN_REFUSE(encode_text(in.text(), in.text_options(), engine, limits, ids));
      if (ids->empty()) return bad_field("text", "empty: the prompt has no token");
      return {};
    case v1::GenerateRequest::kTokenIds:
      if (in.token_ids().ids().empty()) return bad_field("token_ids.ids", "empty");
      return to_token_ids(in.token_ids().ids(), "token_ids.ids", engine.model_info().vocab_size,
                          ids);
    case v1::GenerateRequest::kChat: {
      std::string text;
      TERN_REFUSE(render_chat(in.chat(), engine, &text));
      TERN_REFUSE(encode_rendered(text, engine, limits, ids));
      if (ids->empty()) return bad_field("chat", "the template made an empty prompt of it");
      return {};
    }
    case v1::GenerateRequest::INPUT_NOT_SET:
      break;
  }
  return bad_field("input", "missing: set one of text, token_ids, chat");
}

// ---- what rankers see ----

// Far more than the words that any ranker reads.
constexpr size_t kRankedHead = 6144, kRankedTail = 2048;

std::string cut_for_ranker(const std::string& text) {
  if (text.size() <= kRankedHead + kRankedTail) return text;
  return text.substr(0, kRankedHead) + text.substr(text.size() - kRankedTail);
}

// The text of a prompt that comes as ids, as far as it is looked at.
std::string text_of(const std::vector<int32_t>& ids, const Tokenizer* tokenizer) {
  std::string text;
  if (tokenizer == nullptr) return text;
  constexpr size_t kHead = 512, kTail = 128;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i == kHead && ids.size() > kHead + kTail) i = ids.size() - kTail;
    if (!tokenizer->is_special(ids[i])) text += tokenizer->token_bytes(ids[i]);
  }
  return cut_for_ranker(text);
}

// The last user turn of a conversation, or the prompt as it is.
void set_ranked_prompt(const v1::GenerateRequest& in, const Tokenizer* tokenizer,
                       Request* request) {
  if (in.has_text()) request->ranked_prompt = cut_for_ranker(in.text());
  if (in.has_token_ids()) request->ranked_prompt = text_of(request->prompt_token_ids, tokenizer);
  if (!in.has_chat()) return;
  int32_t num_turns = 0;
  for (const v1::ChatMessage& message : in.chat().messages()) {
    if (message.role() != "user") continue;
    ++num_turns;
    std::string text = message.content();
    for (const v1::ContentPart& part : message.content_parts()) text += part.text();
    request->ranked_prompt = cut_for_ranker(text);
  }
  request->num_turns = std::max(num_turns, 1);
}

// Keeps the last tokens of too long a prompt, where the client wants that. The largest number
// (HTTP's -1) is none: as many as leave the context room for the answer.
Error truncate_prompt(const v1::GenerateRequest& in, const ModelInfo& info, Request* request) {
  if (!in.has_truncate_prompt_tokens()) return {};
  TERN_REFUSE(convert::check("", kTruncatePromptTokens, in.truncate_prompt_tokens()));
  int64_t kept = in.truncate_prompt_tokens();
  const SamplingParams& sampling = request->sampling;
  const int32_t answer =
      std::max(sampling.max_tokens > 0 ? sampling.max_tokens : sampling.min_tokens, 1);
  if (kept == std::numeric_limits<int32_t>::max())
    kept = std::max(int64_t{info.max_model_len} - answer, int64_t{1});
  std::vector<int32_t>& ids = request->prompt_token_ids;
  if (std::ssize(ids) > kept) ids.erase(ids.begin(), ids.end() - kept);
  return {};
}

// What max_tokens becomes where it is unset.
int32_t room_for_answer(const Request& request, const ModelInfo& info) {
  return std::max(info.max_model_len - static_cast<int32_t>(request.prompt_token_ids.size()), 0);
}

// ---- answer ----

Error set_shown_tokens(const v1::ResponseOptions& in, const Tokenizer* tokenizer,
                       SamplingParams* out) {
  TERN_REFUSE(convert::check_count("response.shown_special_tokens", in.shown_special_tokens_size(),
                                   kMaxShownTokens, "tokens"));
  for (const std::string& piece : in.shown_special_tokens())
    if (const auto id = tokenizer ? tokenizer->token_id(piece) : std::nullopt)
      out->shown_special_token_ids.push_back(*id);
  return {};
}

Error set_response(const v1::ResponseOptions& in, const Tokenizer* tokenizer, GenerateCall* out) {
  if (in.has_stream_interval())
    TERN_REFUSE(convert::check("response.", kStreamInterval, in.stream_interval()));
  out->want_text = !in.has_text() || in.text();
  out->want_token_ids = in.token_ids();
  out->want_prefill_progress = in.prefill_progress();
  out->stream_interval = in.has_stream_interval() ? static_cast<int32_t>(in.stream_interval()) : 1;
  out->request.sampling.skip_special_tokens =
      !in.has_skip_special_tokens() || in.skip_special_tokens();
  return set_shown_tokens(in, tokenizer, &out->request.sampling);
}

void set_accepted(const ModelInfo& info, bool echo_prompt, GenerateCall* out) {
  const Request& request = out->request;
  const SamplingParams& sampling = request.sampling;
  v1::Accepted& accepted = out->accepted;
  accepted.set_request_id(request.request_id);
  accepted.set_model(info.name);
  accepted.set_prompt_tokens(static_cast<uint32_t>(request.prompt_token_ids.size()));
  accepted.set_max_tokens(sampling.max_tokens > 0 ? sampling.max_tokens
                                                  : room_for_answer(request, info));
  v1::RandomSampling& effective = *accepted.mutable_effective_sampling();
  effective.set_temperature(sampling.temperature);
  effective.set_top_k(static_cast<uint32_t>(sampling.top_k));
  effective.set_top_p(sampling.top_p);
  effective.set_min_p(sampling.min_p);
  effective.set_seed(sampling.seed);
  out->n = sampling.n;
  if (echo_prompt)
    accepted.mutable_prompt_token_ids()->Add(request.prompt_token_ids.begin(),
                                             request.prompt_token_ids.end());
}

v1::FinishReason to_wire(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return v1::FINISH_REASON_STOP_EOS;
    case FinishReason::kStopToken:
      return v1::FINISH_REASON_STOP_TOKEN;
    case FinishReason::kStopString:
      return v1::FINISH_REASON_STOP_STRING;
    case FinishReason::kLength:
      return v1::FINISH_REASON_LENGTH;
  }
  return v1::FINISH_REASON_UNSPECIFIED;
}

uint64_t microseconds(Seconds s) {
  return static_cast<uint64_t>(std::llround(s.count() * 1e6));
}

}  // namespace

std::optional<ApiError> to_call(const v1::GenerateRequest& in, const Engine& engine,
                                const RequestLimits& limits, GenerateCall* out) {
  TERN_REFUSE(check_request_id(in.request_id()));
  TERN_REFUSE(check_model(in.model(), engine));
  TERN_REFUSE(check_features(in));
  Request& request = out->request;
  request.request_id = in.request_id().empty() ? uuid_v7() : in.request_id();
  const ModelInfo& info = engine.model_info();
  TERN_REFUSE(convert::set_sampling(in.sampling(), engine, limits, &request.sampling));
  TERN_REFUSE(set_response(in.response(), engine.tokenizer(), out));
  TERN_REFUSE(convert::set_logprobs(in.response(), info.vocab_size, &request.sampling));
  TERN_REFUSE(set_scheduling(in, &request));
  TERN_REFUSE(set_prompt(in, engine, limits, &request.prompt_token_ids));
  TERN_REFUSE(truncate_prompt(in, info, &request));
  set_ranked_prompt(in, engine.tokenizer(), &request);
  const int32_t room = room_for_answer(request, info);
  if (room > 0 && request.sampling.max_tokens == 0 && request.sampling.min_tokens > room)
    return convert::conflict("sampling.stopping.min_tokens",
                             "the context leaves " + std::to_string(room) + " tokens, is " +
                                 std::to_string(request.sampling.min_tokens));
  // The default yields to what else the request asks for, and to the context.
  if (room > 0 && request.sampling.max_tokens == 0 && info.default_sampling.max_tokens)
    request.sampling.max_tokens = std::clamp(*info.default_sampling.max_tokens,
                                             std::max(request.sampling.min_tokens, 1), room);
  set_accepted(info, in.response().echo_prompt_token_ids(), out);
  return {};
}

std::optional<ApiError> to_score_call(const v1::ScoreRequest& in, const Engine& engine,
                                      const RequestLimits& limits, GenerateCall* out) {
  TERN_REFUSE(check_model(in.model(), engine));
  v1::GenerateRequest prompt;
  if (in.has_text()) prompt.set_text(in.text());
  if (in.has_token_ids()) *prompt.mutable_token_ids() = in.token_ids();
  if (in.has_text_options()) *prompt.mutable_text_options() = in.text_options();
  Request& request = out->request;
  TERN_REFUSE(set_prompt(prompt, engine, limits, &request.prompt_token_ids));
  TERN_REFUSE(convert::check("", kTopLogprobs, in.top_logprobs()));
  request.request_id = uuid_v7();
  request.sampling.prompt_logprobs = static_cast<int32_t>(in.top_logprobs());
  request.sampling.temperature = 0;
  request.prompt_only = true;
  set_accepted(engine.model_info(), true, out);
  return {};
}

std::optional<ApiError> check_model(const std::string& name, const Engine& engine) {
  const std::string& served = engine.model_info().name;
  if (name.empty() || name == served) return {};
  return ApiError{.code = Code::kNotFound,
                  .reason = "MODEL_NOT_FOUND",
                  .message = "model: '" + name + "' is not served here; '" + served + "' is",
                  .field = "model",
                  .model = name};
}

EncodeOptions to_encode_options(const v1::TextOptions& options) {
  return {.add_special_tokens = !options.has_add_special_tokens() || options.add_special_tokens(),
          .parse_special_tokens =
              !options.has_parse_special_tokens() || options.parse_special_tokens()};
}

std::optional<ApiError> encode_text(const std::string& text, const v1::TextOptions& options,
                                    const Engine& engine, const RequestLimits& limits,
                                    std::vector<int32_t>* ids) {
  const Tokenizer* tokenizer = engine.tokenizer();
  if (!tokenizer)
    return convert::feature_disabled("text", "text: the model has no tokenizer; send token_ids");
  if (text.size() > limits.max_prompt_bytes)
    return bad_field("text", std::to_string(text.size()) + " bytes, at most " +
                                 std::to_string(limits.max_prompt_bytes) +
                                 " (limits.max_prompt_bytes)");
  Result<std::vector<int32_t>> encoded = tokenizer->encode(text, to_encode_options(options));
  if (!encoded.ok()) return bad_field("text", encoded.status().message());
  *ids = *std::move(encoded);
  return {};
}

std::optional<ApiError> encode_rendered(const std::string& text, const Engine& engine,
                                        const RequestLimits& limits, std::vector<int32_t>* ids) {
  v1::TextOptions options;
  options.set_add_special_tokens(false);  // the template writes them
  Error error = encode_text(text, options, engine, limits, ids);
  if (error) error->field = "chat";
  return error;
}

std::optional<ApiError> to_token_ids(const google::protobuf::RepeatedField<uint32_t>& ids,
                                     const std::string& field, int32_t vocab_size,
                                     std::vector<int32_t>* out) {
  for (int i = 0; i < ids.size(); ++i)
    if (ids[i] >= static_cast<uint32_t>(vocab_size))
      return bad_field(field + "[" + std::to_string(i) + "]",
                       "token id " + std::to_string(ids[i]) + " is not below the vocabulary's " +
                           std::to_string(vocab_size));
  out->assign(ids.begin(), ids.end());
  return {};
}

v1::Finished to_wire(const FinishedEvent& event, int32_t index) {
  v1::Finished out;
  out.set_index(static_cast<uint32_t>(index));
  out.set_reason(to_wire(event.reason));
  if (event.reason == FinishReason::kStopString)
    out.set_stop_string(event.matched_stop);
  else if (event.matched_stop_token >= 0)
    out.set_token_id(static_cast<uint32_t>(event.matched_stop_token));
  out.mutable_usage()->set_prompt_tokens(event.usage.prompt_tokens);
  out.mutable_usage()->set_completion_tokens(event.usage.completion_tokens);
  out.mutable_usage()->set_cached_tokens(event.usage.cached_tokens);
  v1::Timings& timings = *out.mutable_timings();
  timings.set_queue_us(microseconds(event.timing.queue));
  timings.set_ttft_us(microseconds(event.timing.ttft));
  timings.set_e2e_us(microseconds(event.timing.e2e));
  timings.set_num_preemptions(event.timing.num_preemptions);
  timings.set_num_recomputed_tokens(event.timing.num_recomputed_tokens);
  return out;
}

void to_wire(const std::vector<TokenLogprobs>& in, const Tokenizer* tokenizer,
             google::protobuf::RepeatedPtrField<v1::Logprobs>* out) {
  const auto set = [tokenizer](const TokenLogprob& from, v1::TokenLogprob& to) {
    to.set_token_id(static_cast<uint32_t>(from.token_id));
    if (from.logprob) to.set_logprob(static_cast<float>(*from.logprob));
    if (from.rank > 0) to.set_rank(static_cast<uint32_t>(from.rank));
    if (tokenizer) to.set_token(std::string(tokenizer->token_bytes(from.token_id)));
  };
  for (const TokenLogprobs& token : in) {
    v1::Logprobs& logprobs = *out->Add();
    set(token.chosen, *logprobs.mutable_chosen());
    for (const TokenLogprob& other : token.top) set(other, *logprobs.add_top());
  }
}

v1::ModelInfo to_wire(const Engine& engine) {
  const ModelInfo& info = engine.model_info();
  v1::ModelInfo out;
  out.set_name(info.name);
  out.set_architecture(info.architecture);
  out.set_num_parameters(info.num_parameters);
  out.set_weight_bytes(info.weight_bytes);
  out.set_weight_format(info.weight_format);
  out.set_vocab_size(info.vocab_size);
  out.set_max_model_len(info.max_model_len);
  out.set_kv_bytes_per_token(info.kv_bytes_per_token);
  out.mutable_eos_token_ids()->Add(info.eos_token_ids.begin(), info.eos_token_ids.end());
  const SamplingParams defaults = info.default_sampling.params();
  v1::RandomSampling& sampling = *out.mutable_default_sampling();
  sampling.set_temperature(defaults.temperature);
  sampling.set_top_k(uint32_t(defaults.top_k));
  sampling.set_top_p(defaults.top_p);
  sampling.set_min_p(defaults.min_p);
  v1::Penalties& penalties = *out.mutable_default_penalties();
  penalties.set_presence_penalty(defaults.presence_penalty);
  penalties.set_frequency_penalty(defaults.frequency_penalty);
  penalties.set_repetition_penalty(defaults.repetition_penalty);
  if (defaults.max_tokens > 0)
    out.set_default_max_tokens(static_cast<uint32_t>(defaults.max_tokens));
  out.set_has_chat_template(engine.chat_renderer() && engine.chat_renderer()->find(false).ok());
  out.set_has_tokenizer(engine.tokenizer() != nullptr);
  return out;
}

namespace {

std::string hex_version(uint64_t version) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(version));
  return text;
}

}  // namespace

v1::EngineStats to_wire(const EngineStats& stats) {
  const SchedulerStats& scheduler = stats.scheduler;
  v1::EngineStats out;
  out.set_num_requests_submitted(stats.num_requests_submitted);
  out.set_num_requests_finished(stats.num_requests_finished);
  out.set_num_generated_tokens(stats.num_generated_tokens);
  out.set_num_live_requests(stats.num_live_requests);
  out.set_num_waiting_requests(scheduler.num_waiting);
  out.set_num_running_requests(scheduler.num_running);
  out.set_num_waiting_tokens(scheduler.num_waiting_tokens);
  out.set_max_step_seqs(stats.max_step_seqs);
  out.set_last_step_age_seconds(stats.last_step_age.count());
  v1::KvCacheStats& kv = *out.mutable_kv_cache();
  kv.set_num_blocks(scheduler.num_blocks);
  kv.set_num_free_blocks(scheduler.num_free_blocks);
  kv.set_num_used_blocks(scheduler.num_used_blocks);
  kv.set_num_cached_blocks(scheduler.num_cached_blocks);
  kv.set_prefix_cache_query_tokens(scheduler.prefix_cache_query_tokens);
  kv.set_prefix_cache_hit_tokens(scheduler.prefix_cache_hit_tokens);
  kv.set_num_evicted_blocks(scheduler.num_evicted_blocks);
  out.set_num_steps(scheduler.num_steps);
  out.set_num_scheduled_tokens(scheduler.num_scheduled_tokens);
  out.set_num_preemptions(scheduler.num_preemptions);
  out.set_num_recomputed_tokens(scheduler.num_recomputed_tokens);
  out.set_policy(stats.policy);
  if (!stats.ranker.name.empty()) {
    v1::RankerStats& ranker = *out.mutable_ranker();
    ranker.set_name(stats.ranker.name);
    ranker.set_version(hex_version(stats.ranker.version));
    ranker.set_num_answers(stats.ranker.num_answers);
    if (stats.ranker.tau) ranker.set_tau(*stats.ranker.tau);
  }
  return out;
}

std::optional<ApiError> to_wire(const EngineStats& stats,
                                const google::protobuf::RepeatedField<int>& sections,
                                v1::Load* out) {
  bool queue = sections.empty(), kv_cache = sections.empty(), latency = sections.empty();
  for (int i = 0; i < sections.size(); ++i) {
    switch (sections[i]) {
      case v1::LOAD_SECTION_UNSPECIFIED:
        queue = kv_cache = latency = true;
        break;
      case v1::LOAD_SECTION_QUEUE:
        queue = true;
        break;
      case v1::LOAD_SECTION_KV_CACHE:
        kv_cache = true;
        break;
      case v1::LOAD_SECTION_LATENCY:
        latency = true;
        break;
      default:
        return bad_field("sections[" + std::to_string(i) + "]",
                         "no section has the number " + std::to_string(sections[i]));
    }
  }
  const v1::EngineStats all = to_wire(stats);
  v1::EngineStats& part = *out->mutable_stats();
  if (queue) {
    part = all;  // the counters too
    part.clear_kv_cache();
    part.clear_last_step_age_seconds();
    out->set_predicted_queue_seconds(stats.predicted_queue.count());
  }
  if (kv_cache) *part.mutable_kv_cache() = all.kv_cache();
  if (latency) {
    part.set_last_step_age_seconds(all.last_step_age_seconds());
    out->set_tokens_per_second(stats.tokens_per_second);
  }
  return {};
}

std::string uuid_v7() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
  const uint64_t high = ms << 16 | 0x7000 | (convert::random_bits() & 0x0FFF);
  const uint64_t low = uint64_t{1} << 63 | (convert::random_bits() >> 2);
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", unsigned(high >> 32),
                unsigned(high >> 16 & 0xFFFF), unsigned(high & 0xFFFF), unsigned(low >> 48),
                static_cast<unsigned long long>(low & 0xFFFFFFFFFFFFull));
  return text;
}

}  // namespace tern
