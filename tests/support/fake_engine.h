// An engine without a model: one thread, one token a step for each live request, switches for
// tests.
#pragma once

#include <atomic>
#include <map>
#include <thread>

#include "base/mutex.h"
#include "engine/serve/engine.h"
#include "engine/text/chat_renderer.h"

namespace tern {

/// One token a byte; 256 is <eos>, 257 is <bos>, which add_special_tokens puts in front.
class ByteTokenizer final : public Tokenizer {
 public:
  static constexpr int32_t kEos = 256, kBos = 257, kVocab = 258;

  Result<std::vector<int32_t>> encode(std::string_view text,
                                      const EncodeOptions& options) const override {
    std::vector<int32_t> ids;
    if (options.add_special_tokens) ids.push_back(kBos);
    while (!text.empty()) {
      const bool special = options.parse_special_tokens && text.starts_with("<eos>");
      ids.push_back(special ? kEos : static_cast<uint8_t>(text[0]));
      text.remove_prefix(special ? 5 : 1);
    }
    return ids;
  }
  std::string_view token_bytes(int32_t id) const override { return token_piece(id); }
  std::string_view token_piece(int32_t id) const override {
    if (id == kEos) return "<eos>";
    if (id == kBos) return "<bos>";
    return {&bytes_[id], 1};
  }
  bool is_special(int32_t id) const override { return id >= kEos; }
  std::optional<int32_t> token_id(std::string_view piece) const override {
    const auto found = named.find(piece);
    return found == named.end() ? std::nullopt : std::optional(found->second);
  }
  int32_t vocab_size() const override { return kVocab; }

  std::map<std::string, int32_t, std::less<>> named;  ///< what token_id() finds

 private:
  const std::string bytes_ = [] {
    std::string all;
    for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
    return all;
  }();
};

/// Every answer to every prompt is "t0 t1 t2 …", a token each, of max_tokens tokens. The logprob of
/// a token is minus its place, that of its alternatives falls by 1 from -10 on.
class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(bool with_text = true, const SamplingDefaults& defaults = {}) {
    info_.name = "fake";
    info_.architecture = "FakeForCausalLM";
    info_.vocab_size = ByteTokenizer::kVocab;
    info_.max_model_len = 4096;
    info_.default_sampling = defaults;
    info_.default_sampling.fill_from({.temperature = 0.5f, .top_k = 7});
    if (with_text) {
      tokenizer_ = std::make_unique<ByteTokenizer>();
      set_template(
          "{% if tools %}[tools]{{ tools | tojson }}{% endif %}"
          "{% for m in messages %}[{{ m.role }}]{{ m.content }}"
          "{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}"
          "{% if m.tool_call_id %}<{{ m.tool_call_id }}>{% endif %}{% endfor %}"
          "{% if add_generation_prompt %}[assistant]{% endif %}");
    }
    thread_ = std::thread([this] { run(); });
  }
  ~FakeEngine() override { shutdown(); }

  static std::string answer(int num_tokens) {
    std::string text;
    for (int i = 0; i < num_tokens; ++i) text += "t" + std::to_string(i) + " ";
    return text;
  }

  Result<uint64_t> submit(Request request, std::shared_ptr<TokenSink> sink) override {
    const MutexLock lock(mutex_);
    if (draining_) return Status(Code::kUnavailable, "draining");
    if (!refusal.ok()) return refusal;
    for (const auto& [id, live] : live_)
      if (live.request.request_id == request.request_id)
        return Status(Code::kAlreadyExists, "request_id '" + request.request_id + "' is live");
    last_request = request;
    const int32_t room = info_.max_model_len - int32_t(request.prompt_token_ids.size());
    if (request.sampling.max_tokens > room + request.prompt_only)
      return Status(Code::kOutOfRange, "prompt and max_tokens are over the context of 4096");
    live_[next_id_] = {.request = std::move(request), .sink = std::move(sink)};
    wake_.notify_one();
    return next_id_++;
  }
  void cancel(uint64_t id) override {
    const MutexLock lock(mutex_);
    ++num_cancels;
    if (const auto found = live_.find(id); found != live_.end()) found->second.cancelled = true;
    wake_.notify_one();
  }
  void pause(uint64_t, Seconds) override { ++num_pauses; }
  void resume(uint64_t) override { ++num_resumes; }
  void abort(std::vector<std::string> request_ids, std::string,
             std::function<void(std::vector<AbortOutcome>)> done) override {
    std::vector<AbortOutcome> outcomes(request_ids.size(), AbortOutcome::kUnknown);
    MutexLock lock(mutex_);
    for (auto& [id, live] : live_)
      for (size_t i = 0; i < request_ids.size(); ++i)
        if (live.request.request_id == request_ids[i]) {
          live.cancelled = true;
          outcomes[i] = AbortOutcome::kAborted;
        }
    lock.unlock();
    done(std::move(outcomes));
  }
  void flush_prefix_cache(std::function<void(int32_t)> done) override { done(7); }
  void reconfigure(const SchedulerConfig&, const QueueLimits&,
                   std::function<void(Status)> done) override {
    done({});
  }
  std::vector<RequestState> live_requests() const override {
    const MutexLock lock(mutex_);
    if (listed) return *listed;
    std::vector<RequestState> states;
    for (const auto& [id, live] : live_)
      states.push_back({.request_id = live.request.request_id,
                        .is_queued = false,
                        .completion_tokens = live.num_tokens});
    return states;
  }
  void use_ranker(std::shared_ptr<const Ranker>) override {}
  void start_draining() override { draining_ = true; }
  void shutdown() override {
    {
      const MutexLock lock(mutex_);
      stop_ = true;
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
    std::map<uint64_t, Live> ended;
    {
      const MutexLock lock(mutex_);  // cancel() still comes
      ended.swap(live_);
    }
    for (auto& [id, live] : ended) finish(live, Status(Code::kUnavailable, "shut down"));
  }
  EngineStats stats() const override {
    const MutexLock lock(mutex_);
    EngineStats stats;
    stats.num_live_requests = static_cast<int32_t>(live_.size());
    stats.max_step_seqs = max_step_seqs_;
    stats.silent = Seconds(silent);
    stats.scheduler.num_blocks = 100;
    stats.scheduler.num_free_blocks = 90;
    stats.scheduler.num_used_blocks = 10;
    return stats;
  }
  const ModelInfo& model_info() const override { return info_; }
  const Tokenizer* tokenizer() const override { return tokenizer_.get(); }
  const ChatRenderer* chat_renderer() const override { return chat_.get(); }

  ByteTokenizer& tokenizer_for_change() { return *tokenizer_; }  ///< before any request

  /// While no chat runs.
  void set_template(const std::string& text) {
    chat_ = std::make_unique<ChatRenderer>(
        std::vector<ChatTemplateSource>{{"default", text, "the test's template"}},
        nlohmann::ordered_json::object());
  }

  int num_live() const { return stats().num_live_requests; }

  std::atomic<double> silent{0};    ///< seconds, as stats() tells
  std::atomic<bool> paused{false};  ///< no token comes; cancellations and deadlines do
  std::atomic<int> num_cancels{0}, num_pauses{0}, num_resumes{0};
  std::vector<std::string> script;  ///< texts of the tokens, in place of t0 t1 …, while it lasts
  std::vector<int32_t> script_ids;  ///< their ids, in place of 0 1 …, likewise
  FinishReason end = FinishReason::kLength;  ///< of answers
  Status refusal;                            ///< of the next submits. Set before they come
  Request last_request;                      ///< as submitted. Read when no submit runs
  std::optional<std::vector<RequestState>> listed;  ///< what live_requests() says, whatever lives

 private:
  struct Live {
    Request request;
    std::shared_ptr<TokenSink> sink;
    int num_tokens = 0;
    bool cancelled = false;
    int32_t last_token = -1;
  };

  void run() {
    MutexLock lock(mutex_);
    while (!stop_) {
      const TimePoint until = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
      while (!stop_ && wake_.wait_until(lock, until)) {
      }
      max_step_seqs_ = std::max(max_step_seqs_, static_cast<int32_t>(live_.size()));
      for (auto entry = live_.begin(); entry != live_.end();)
        entry = step(entry->second) ? live_.erase(entry) : std::next(entry);
    }
  }

  // True when it ended.
  bool step(Live& live) {
    const Request& request = live.request;
    if (live.cancelled) return finish(live, Status(Code::kCancelled, "cancelled"));
    if (request.deadline && std::chrono::steady_clock::now() >= *request.deadline)
      return finish(live, Status(Code::kDeadlineExceeded, "deadline"));
    if (paused) return false;
    if (live.num_tokens == 0) begin(live);
    if (request.prompt_only) return finish(live, {});
    const int32_t most = request.sampling.max_tokens > 0 ? request.sampling.max_tokens : 100;
    const int32_t place = live.num_tokens++;
    live.last_token = size_t(place) < script_ids.size() ? script_ids[place] : place % 256;
    const bool is_last = live.num_tokens >= most;
    for (int32_t index = 0; index < request.sampling.n; ++index) {
      TokenEvent event{.index = index};
      const bool scripted = size_t(place) < script.size();
      event.text = scripted ? script[place] : "t" + std::to_string(place) + " ";
      event.token_ids = {live.last_token};
      if (request.sampling.wants_logprobs())
        event.logprobs = {
            logprobs(live.last_token, -double(place), request.sampling.logprobs.value_or(0))};
      if (is_last) event.finished = finished(live, {});
      live.sink->on_event(std::move(event));
    }
    return is_last;
  }

  static void begin(Live& live) {
    live.sink->on_admitted(3);
    const std::optional<int32_t>& wanted = live.request.sampling.prompt_logprobs;
    if (!wanted) return;
    const std::vector<int32_t>& prompt = live.request.prompt_token_ids;
    live.sink->on_prompt_logprobs(0, {{.chosen = {.token_id = prompt[0]}}});
    std::vector<TokenLogprobs> rest;
    for (size_t i = 1; i < prompt.size(); ++i)
      rest.push_back(logprobs(prompt[i], -double(i), *wanted));
    live.sink->on_prompt_logprobs(1, std::move(rest));
  }

  static TokenLogprobs logprobs(int32_t token_id, double logprob, int32_t num_top) {
    TokenLogprobs out{.chosen = {token_id, logprob, 1}};
    for (int32_t i = 0; i < num_top; ++i) out.top.push_back({i, -10.0 - i, i + 1});
    return out;
  }

  bool finish(Live& live, const Status& status) {
    for (int32_t index = 0; index < live.request.sampling.n; ++index)
      live.sink->on_event({.index = index, .finished = finished(live, status)});
    return true;
  }

  FinishedEvent finished(const Live& live, const Status& status) const {
    FinishedEvent out{.status = status, .reason = end};
    if (end == FinishReason::kEos || end == FinishReason::kStopToken)
      out.matched_stop_token = live.last_token;
    if (end == FinishReason::kStopString) out.matched_stop = "stop!";
    out.usage = {.prompt_tokens = int32_t(live.request.prompt_token_ids.size()),
                 .completion_tokens = live.num_tokens,
                 .cached_tokens = 3};
    out.timing.e2e = Seconds(0.5);
    return out;
  }

  ModelInfo info_;
  std::unique_ptr<ByteTokenizer> tokenizer_;
  std::unique_ptr<ChatRenderer> chat_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::map<uint64_t, Live> live_ TERN_GUARDED_BY(mutex_);
  uint64_t next_id_ TERN_GUARDED_BY(mutex_) = 1;
  int32_t max_step_seqs_ TERN_GUARDED_BY(mutex_) = 0;
  bool stop_ TERN_GUARDED_BY(mutex_) = false;
  std::atomic<bool> draining_{false};
  std::thread thread_;
};

}  // namespace tern
