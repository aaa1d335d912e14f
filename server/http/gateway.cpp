#include "server/http/gateway.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>

#include "base/mutex.h"
#include "server/http/endpoints.h"
#include "server/http/error.h"
#include "server/http/generation.h"
#include "server/http/listener.h"

namespace tern::http {
namespace {

// Threads for what is quick, beside those that completions may hold: health and metrics answer
// while all streams are taken.
constexpr int32_t kReservedThreads = 32;
constexpr const char* kRequestId = "X-Request-Id";
constexpr const char* kIgnoredFields = "X-Tern-Ignored-Fields";
constexpr std::string_view kModels = "/v1/models/";

ApiError no_route(const std::string& path) {
  return {.code = Code::kNotFound, .reason = "NO_SUCH_ROUTE", .message = "no such route: " + path};
}

// What a browser asks before it lets a page of another origin send its request.
bool is_preflight(const Request& request) {
  return request.method == "OPTIONS" && !request.header("origin").empty() &&
         !request.header("access-control-request-method").empty();
}

Response wrong_method(const Request& request, const std::string& allowed) {
  Response response =
      error_response({.code = Code::kInvalidArgument,
                      .reason = "METHOD_NOT_ALLOWED",
                      .message = request.path + " takes " + allowed + ", not " + request.method});
  response.status = 405;
  response.headers.emplace_back("Allow", allowed);
  return response;
}

}  // namespace

class Gateway::Impl {
 public:
  Impl(const GatewayOptions& options, ServingState& state)
      : state_(state),
        cors_origin_(options.cors_origin),
        ignores_unknown_(options.unknown_fields == "warn"),
        max_streams_(options.max_streams) {
    add_routes();
  }

  Status start(const GatewayOptions& options) {
    const ListenerOptions listen{.listen = options.listen,
                                 .num_threads = options.max_streams + kReservedThreads,
                                 .max_body_bytes = options.max_body_bytes};
    auto started = Listener::start(
        listen, [this](const Request& request) { return route(request); },
        {.check_header = [this](const Request& request) { return check_header(request); },
         .complete = [this](const Request& request, Response* out) { finish(request, out); }});
    if (!started.ok()) return started.status();
    listener_ = *std::move(started);
    return {};
  }

  Listener& listener() { return *listener_; }

  void add(const std::string& path, const std::string& method, Handler handler) {
    const MutexLock lock(mutex_);
    routes_[path] = {method, std::move(handler)};
  }

 private:
  struct Route {
    std::string method;
    Handler handler;
  };

  void add_routes() {
    add("/v1/models", "GET", [this](const Request&) { return list_models(state_, created_); });
    add("/v1/completions", "POST", [this](const Request& request) {
      return complete(request, parse_completion, kCompletionFormat);
    });
    add("/v1/chat/completions", "POST",
        [this](const Request& request) { return complete(request, parse_chat, kChatFormat); });
    add("/tokenize", "POST", [this](const Request& request) {
      return noting_ignored(
          [&](IgnoredFields* ignored) { return tokenize(request, state_, ignored); });
    });
    add("/detokenize", "POST", [this](const Request& request) {
      return noting_ignored(
          [&](IgnoredFields* ignored) { return detokenize(request, state_, ignored); });
    });
    for (const char* path : {"/health", "/healthz", "/ready", "/readyz", "/ping"})
      add(path, "GET", [this](const Request&) { return health(state_); });
    for (const char* path : {"/health/live", "/livez"})
      add(path, "GET", [](const Request&) { return live(); });
    add("/version", "GET", [](const Request&) { return version(); });
  }

  // What every response has, and the line of those that refuse.
  void finish(const Request& request, Response* response) {
    const auto id = std::find_if(response->headers.begin(), response->headers.end(),
                                 [](const auto& header) { return header.first == kRequestId; });
    if (response->refusal)
      note_refusal(request, *response->refusal, response->status,
                   id == response->headers.end() ? request.id : id->second);
    if (id == response->headers.end()) response->headers.emplace_back(kRequestId, request.id);
    if (!cors_origin_.empty()) allow_origin(request, response);
  }

  // Of every refusal a line in the log, and one more in the metrics.
  void note_refusal(const Request& request, const ApiError& error, int status,
                    const std::string& id) {
    state_.refusals.write(error,
                          {.caller = caller_of(request),
                           .id = id,
                           .transport = transport_name(Transport::kHttp),
                           .path = request.path,
                           .http_status = status},
                          state_.clock.now());
    if (error.is_reported) return;
    state_.report({.request_id = id,
                   .transport = Transport::kHttp,
                   .code = error.code,
                   .reason = error.reason});
  }

  // What no body can make right.
  std::optional<Response> check_header(const Request& request) {
    const std::optional<Route> route = find(request.path);
    if (!route || route->method != request.method) return this->route(request);
    if (!request.path.starts_with("/v1/")) return {};  // those below take completions
    std::optional<TimePoint> deadline;
    std::optional<ApiError> error = state_.check_serving();
    if (!error) error = read_deadline(request, &deadline);
    return error ? std::optional(error_response(*error)) : std::nullopt;
  }

  Response route(const Request& request) {
    const std::optional<Route> route = find(request.path);
    // Else the page would see a failure of the network in place of the 404 of its own request.
    if (!route && is_preflight(request) && !cors_origin_.empty()) return {.status = 204};
    if (!route) return error_response(no_route(request.path));
    if (request.method == route->method) return route->handler(request);
    if (request.method == "HEAD" && route->method == "GET") return route->handler(request);
    if (request.method == "OPTIONS" && !cors_origin_.empty()) return {.status = 204};
    return wrong_method(request, route->method);
  }

  // A slash at the end changes nothing.
  std::optional<Route> find(std::string path) const {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (path.starts_with(kModels))
      return Route{"GET", [this, id = path.substr(kModels.size())](const Request&) {
                     return get_model(state_, id, created_);
                   }};
    const MutexLock lock(mutex_);
    const auto found = routes_.find(path);
    return found == routes_.end() ? std::nullopt : std::optional(found->second);
  }

  void allow_origin(const Request& request, Response* response) const {
    response->headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
    response->headers.emplace_back(
        "Access-Control-Expose-Headers",
        "X-Request-Id, Retry-After, Retry-After-Ms, X-Tern-Ignored-Fields");
    if (request.method != "OPTIONS") return;
    response->headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    // Headers decide nothing here, so a page may send those that it wants to send.
    const std::string wanted = request.header("access-control-request-headers");
    response->headers.emplace_back(
        "Access-Control-Allow-Headers",
        wanted.empty() ? "Authorization, Content-Type, X-Request-Id, X-Request-Timeout-Ms"
                       : wanted);
    response->headers.emplace_back("Vary", "Access-Control-Request-Headers");
    response->headers.emplace_back("Access-Control-Max-Age", "86400");
  }

  using Parse = std::optional<ApiError>(const Json&, IgnoredFields*, GenerateBody*);

  Response complete(const Request& request, Parse& parse, const Format& format) {
    return noting_ignored([&](IgnoredFields* ignored) {
      Json json;
      if (auto error = parse_body(request.body, &json)) return error_response(*error);
      GenerateBody body;
      if (auto error = parse(json, ignored, &body)) return error_response(*error);
      std::shared_ptr<void> slot = take_slot();
      if (!slot) return error_response(all_taken());
      return generate(request, std::move(body), format, state_, std::move(slot));
    });
  }

  // What `work` answers. It gets where to note fields that it passes over; null: it refuses them.
  template <class Work>
  Response noting_ignored(Work&& work) const {
    IgnoredFields ignored;
    Response response = work(ignores_unknown_ ? &ignored : nullptr);
    if (!ignored.empty()) response.headers.emplace_back(kIgnoredFields, to_header(ignored));
    return response;
  }

  // Null where all are taken. Given back by its end.
  std::shared_ptr<void> take_slot() {
    if (num_streams_.fetch_add(1) < max_streams_) return {this, [this](void*) { --num_streams_; }};
    --num_streams_;
    return {};
  }

  ApiError all_taken() const {
    return {.code = Code::kResourceExhausted,
            .reason = "TOO_MANY_STREAMS",
            .message = "all " + std::to_string(max_streams_) +
                       " completions that may be under way at once are (http.max_streams)",
            .retry_after = Seconds(1)};
  }

  ServingState& state_;
  const std::string cors_origin_;
  const bool ignores_unknown_;  // fields
  const int32_t max_streams_;
  const int64_t created_ = std::chrono::duration_cast<std::chrono::seconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  std::atomic<int32_t> num_streams_{0};
  mutable Mutex mutex_;
  std::map<std::string, Route> routes_ TERN_GUARDED_BY(mutex_);  // by path
  std::unique_ptr<Listener> listener_;   // last: its threads use the rest
};

Result<std::unique_ptr<Gateway>> Gateway::start(const GatewayOptions& options,
                                                ServingState& state) {
  auto impl = std::make_unique<Impl>(options, state);
  TERN_TRY(impl->start(options));
  return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Gateway::~Gateway() = default;

const std::vector<std::string>& Gateway::addresses() const {
  return impl_->listener().addresses();
}

void Gateway::add_text_route(const std::string& path, const std::string& content_type,
                             std::function<std::string()> text) {
  impl_->add(path, "GET", [content_type, text = std::move(text)](const Request&) {
    return Response{.content_type = content_type, .body = text()};
  });
}

void Gateway::shutdown(Seconds grace) {
  impl_->listener().shutdown(grace);
}

}  // namespace tern::http
