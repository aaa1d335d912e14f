#include "server/http/generation.h"

#include <charconv>
#include <chrono>

#include "server/http/error.h"

namespace tern::http {
namespace {

constexpr Seconds kLookForClient{0.1};  // how soon a client that left is noticed
constexpr Seconds kPing{15};            // an idle stream shows that often that it lives
constexpr Seconds kProbe{1};  // or so often, where only a write tells of a client that left

std::string event(const Json& data) {
  return "data: " + dump(data) + "\n\n";
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The body's or the request's; of several prompts each gets its number behind it.
std::string set_request_ids(const Request& request, std::vector<v1::GenerateRequest>* requests) {
  constexpr size_t kMostBytes = 128, kNumberBytes = 4;
  std::string id = requests->front().request_id();
  if (id.empty()) id = request.id;
  if (requests->size() > 1) id.resize(std::min(id.size(), kMostBytes - kNumberBytes));
  for (size_t i = 0; i < requests->size(); ++i)
    (*requests)[i].set_request_id(requests->size() == 1 ? id : id + "-" + std::to_string(i));
  return id;
}

// One HTTP request's answers on their way out. The handler's thread.
class Generation {
 public:
  Generation(GenerateBody body, const Format& format, std::shared_ptr<void> slot)
      : body_(std::move(body)), format_(format), slot_(std::move(slot)) {}

  std::optional<ApiError> submit(ServingState& state, const std::optional<TimePoint>& deadline,
                                 const std::string& id, const Caller& caller) {
    if (auto error = answers_.submit(state, body_.requests, body_.options.prompt_only, deadline,
                                     caller))
      return error;
    const AnswerOptions& options = body_.options;
    // A live request may have had the id that a header gave.
    const std::string& first = answers_.accepted(0).request_id();
    const bool is_mine = first == body_.requests[0].request_id();
    head_ = Json{{"id", format_.id_prefix + (is_mine ? id : first)},
                 {"object", options.stream ? format_.chunk_object : format_.object},
                 {"created", unix_seconds()},
                 {"model", answers_.accepted(0).model()}};
    num_completion_tokens_.assign(num_choices(), 0);
    prompts_.resize(body_.requests.size());
    for (size_t i = 0; options.needs_prompt() && i < prompts_.size(); ++i)
      prompts_[i] =
          prompt_text(body_.requests[i], answers_.accepted(int32_t(i)), answers_.tokenizer());
    for (int32_t i = 0; i < num_choices(); ++i)
      makers_.emplace_back(answers_, body_, prompt_of(i), prompts_[prompt_of(i)]);
    return {};
  }

  // The whole answer, or how it failed; CANCELLED where the client has left.
  Response wait(const std::function<bool()>& client_gone) {
    std::vector<Piece> choices(num_choices());
    for (Piece& choice : choices) choice.is_first = true;
    TimePoint last_look = std::chrono::steady_clock::now();
    while (!answers_.done()) {
      for (ChoiceDelta& delta : answers_.fetch(kLookForClient)) {
        const int32_t choice = choice_of(delta);
        join(next(std::move(delta)), &choices[choice]);
      }
      // Nothing is written before the end: no failing write tells of a client that has left.
      const TimePoint now = std::chrono::steady_clock::now();
      if (now - last_look < to_duration(kLookForClient)) continue;
      last_look = now;
      if (client_gone()) answers_.cancel();
    }
    if (const auto error = answers_.error()) {
      Response failed = error_response(*error);
      failed.refusal.reset();  // it was taken, and has left its line
      return failed;
    }
    Json out = head_;
    out["choices"] = Json::array();
    for (int32_t i = 0; i < num_choices(); ++i)
      out["choices"].push_back(format_.choice(choices[i], context(i), false));
    out["usage"] = whole_usage();
    if (&format_ == &kChatFormat && body_.options.prompt_logprobs)
      out["prompt_logprobs"] =
          prompt_logprobs_json(answers_.prompt_logprobs(0), answers_.tokenizer());
    return {.body = dump(out)};
  }

  void write(const Write& write, const Request& client) {
    std::string out;
    for (int32_t i = 0; format_.opening && i < num_choices(); ++i) out += chunk(format_.opening(i));
    TimePoint last_write = std::chrono::steady_clock::now();
    for (bool open = true; open;) {
      for (ChoiceDelta& delta : answers_.fetch(kLookForClient)) {
        const int32_t choice = choice_of(delta);
        const Piece piece = next(std::move(delta));
        if (!piece.is_empty()) out += chunk(format_.choice(piece, context(choice), true));
      }
      if (answers_.done()) {
        open = false;
        out += ending();
      }
      const TimePoint now = std::chrono::steady_clock::now();
      if (out.empty() && now - last_write > to_duration(client.client_silent() ? kProbe : kPing))
        out = ": waiting\n\n";
      if (out.empty() ? client.client_gone() : !write(out)) return answers_.cancel();
      if (!out.empty()) last_write = now;
      out.clear();
    }
  }

 private:
  int32_t num_choices() const { return answers_.num_prompts() * answers_.n(); }
  int32_t choice_of(const ChoiceDelta& delta) const {
    return delta.prompt * answers_.n() + delta.index;
  }
  int32_t prompt_of(int32_t choice) const { return choice / answers_.n(); }
  ChoiceContext context(int32_t choice) const {
    return {answers_, body_.options, prompt_of(choice), choice};
  }

  Piece next(ChoiceDelta&& delta) {
    uint32_t& num_tokens = num_completion_tokens_[choice_of(delta)];
    num_tokens += static_cast<uint32_t>(delta.token_ids.size());
    if (delta.finished) {
      const v1::Usage& usage = delta.finished->usage();
      num_tokens = usage.completion_tokens();
      if (delta.index == 0) num_cached_tokens_ += usage.cached_tokens();
    }
    return makers_[choice_of(delta)].next(std::move(delta));
  }

  std::string chunk(Json choice) const {
    Json out = head_;
    out["choices"] = Json::array({std::move(choice)});
    if (body_.options.continuous_usage)
      out["usage"] = usage();
    else if (body_.options.include_usage)
      out["usage"] = nullptr;
    return event(out);
  }

  std::string ending() const {
    if (const auto error = answers_.error()) return event(error_json(*error));
    std::string out;
    if (body_.options.include_usage) {
      Json last = head_;
      last["choices"] = Json::array();
      last["usage"] = whole_usage();
      out = event(last);
    }
    return out + "data: [DONE]\n\n";
  }

  // Counts the tokens of all choices, so far.
  Json usage() const {
    uint32_t num_prompt_tokens = 0, num_completion_tokens = 0;
    for (int32_t i = 0; i < answers_.num_prompts(); ++i)
      num_prompt_tokens += answers_.accepted(i).prompt_tokens();
    if (!body_.options.prompt_only)
      for (const uint32_t num : num_completion_tokens_) num_completion_tokens += num;
    return Json{{"prompt_tokens", num_prompt_tokens},
                {"completion_tokens", num_completion_tokens},
                {"total_tokens", num_prompt_tokens + num_completion_tokens}};
  }

  // What the cache held is known at the end.
  Json whole_usage() const {
    Json out = usage();
    out["prompt_tokens_details"] = Json{{"cached_tokens", num_cached_tokens_}};
    return out;
  }

  const GenerateBody body_;
  const Format& format_;
  const std::shared_ptr<void> slot_;
  Answers answers_;
  Json head_;
  std::vector<PromptText> prompts_;
  std::vector<PieceMaker> makers_;               // one a choice
  std::vector<uint32_t> num_completion_tokens_;  // one a choice
  uint32_t num_cached_tokens_ = 0;
};

}  // namespace

std::optional<ApiError> read_deadline(const Request& request, std::optional<TimePoint>* out) {
  constexpr const char* kName = "x-request-timeout-ms";
  const std::string text = request.header(kName);
  if (text.empty()) return {};
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  constexpr int64_t kMaxMs = int64_t{1000} * 86400 * 365;
  if (error != std::errc() || end != text.data() + text.size() || ms < 1 || ms > kMaxMs)
    return bad_field(kName, "must be a whole number of milliseconds in [1, " +
                                std::to_string(kMaxMs) + "], is '" + text + "'");
  *out = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  return {};
}

Caller caller_of(const Request& request) {
  return {.peer = request.peer,
          .traceparent = valid_traceparent(request.header("traceparent")),
          .trace_id = request.id};
}

Response generate(const Request& request, GenerateBody body, const Format& format,
                  ServingState& state, std::shared_ptr<void> slot) {
  const bool stream = body.options.stream;
  Caller caller = caller_of(request);
  std::optional<TimePoint> deadline;
  if (auto error = read_deadline(request, &deadline)) return error_response(*error);
  caller.shares_id = body.requests.front().request_id().empty();
  const std::string id = set_request_ids(request, &body.requests);
  if (is_request_id(id)) caller.trace_id = id;  // which the response has
  const auto generation = std::make_shared<Generation>(std::move(body), format, std::move(slot));
  Response response;
  if (auto error = generation->submit(state, deadline, id, caller)) {
    response = error_response(with_json_names(*std::move(error)));
  } else if (!stream) {
    response = generation->wait(request.client_gone);
  } else {
    response.content_type = "text/event-stream; charset=utf-8";
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.headers.emplace_back("X-Accel-Buffering", "no");  // proxies of nginx's kind
    response.stream = [generation, &request](const Write& write) {
      generation->write(write, request);
    };
  }
  response.keep = generation;
  if (is_request_id(id)) response.headers.emplace_back("X-Request-Id", id);
  return response;
}

}  // namespace tern::http
