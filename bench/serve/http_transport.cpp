// One epoll loop over non-blocking sockets, not cpp-httplib's client: that blocks a thread a
// stream, and hundreds of threads that wake for every token would be what is measured on a small
// machine.
#include "bench/serve/http_transport.h"

#include <sys/epoll.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "bench/serve/event_loop.h"
#include "bench/serve/sse.h"

namespace tern::bench {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kMaxErrorBytes = 64 << 10;

TimePoint now() {
  return std::chrono::steady_clock::now();
}

class HttpTransport;

// A connection, and the request that it carries now, if any. The loop's thread only.
struct Connection final : public EventLoop::Handler {
  explicit Connection(HttpTransport& transport) : owner(transport) {}
  void on_ready(uint32_t epoll_events) override;

  HttpTransport& owner;
  Fd fd;
  StreamSink* sink = nullptr;  // null: idle, to be used again
  std::string request;         // head and body
  size_t num_sent = 0;
  bool is_connecting = true;
  bool is_reused = false;
  HttpResponseParser http;
  SseParser sse;
  std::string error_body;  // of a refusal
  StreamEnd end;
  int32_t num_tokens = 0;
  bool has_output = false, is_done = false;

  void begin(StreamSink* new_sink, std::string new_request) {
    sink = new_sink;
    request = std::move(new_request);
    num_sent = 0;
    http.reset();
    sse = {};
    error_body.clear();
    end = {};
    num_tokens = 0;
    has_output = is_done = false;
  }
};

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(const HttpTransportOptions& options) : options_(options) {}
  Result<ServerFacts> connect(const std::function<bool()>& stop) override {
    TERN_ASSIGN(const HttpAnswer answer, http_get(options_.url, "/v1/models", stop));
    ServerFacts facts{.model = options_.model};
    if (answer.status == 200) {
      TERN_ASSIGN(facts, parse_openai_models(answer.body));
      if (!options_.model.empty()) facts.model = options_.model;
    } else if (options_.model.empty()) {
      return Status(Code::kFailedPrecondition,
                    "/v1/models answers HTTP " + std::to_string(answer.status) + ": " +
                        parse_openai_error(answer.body).second + "; name the model with --model");
    }
    model_ = facts.model;
    TERN_ASSIGN(address_, SocketAddress::resolve(options_.url.host, options_.url.port));
    TERN_TRY(loop_.start([this] { closed_.clear(); }));
    return facts;
  }

  void send(const PlannedRequest& request, StreamSink& sink) override {
    Result<std::string> body =
        to_openai_body(request, options_.settings, options_.endpoint, model_);
    if (!body.ok())
      return sink.on_end(now(), {.code = "INVALID_ARGUMENT", .message = body.status().message()});
    loop_.post([this, &sink, text = head(body->size()) + *body] { begin(&sink, text); });
  }

  void cancel(StreamSink& sink) override {
    loop_.post([this, &sink] {
      if (const auto live = live_.find(&sink); live != live_.end())
        fail(*live->second, "CANCELLED", "", "cancelled by the client");
    });
  }

  std::string name() const override { return "openai"; }
  std::string endpoint() const override {
    return "http://" + options_.url.authority() + options_.url.path + path();
  }

 private:
  friend struct Connection;

  std::string path() const {
    return options_.endpoint == OpenAiEndpoint::kChat ? "/v1/chat/completions" : "/v1/completions";
  }

  std::string head(size_t body_bytes) const {
    return "POST " + options_.url.path + path() + " HTTP/1.1\r\nHost: " + options_.url.authority() +
           "\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: " +
           std::to_string(body_bytes) + "\r\n\r\n";
  }

  // ---- the loop's thread ----

  void begin(StreamSink* sink, std::string request) {
    if (!idle_.empty()) {
      Connection& connection = *idle_.back();
      idle_.pop_back();
      connection.is_reused = true;
      connection.begin(sink, std::move(request));
      live_[sink] = &connection;
      return write_request(connection);
    }
    Result<Fd> fd = address_.connect();
    if (!fd.ok())
      return sink->on_end(
          now(),
          {.code = fd.status().code() == Code::kUnavailable ? "UNAVAILABLE" : "RESOURCE_EXHAUSTED",
           .reason = "CONNECT",
           .message = fd.status().message()});
    auto owned = std::make_unique<Connection>(*this);
    Connection& connection = *owned;
    connection.fd = *std::move(fd);
    connection.begin(sink, std::move(request));
    live_[sink] = &connection;
    connections_.emplace(&connection, std::move(owned));
    loop_.add(connection.fd.get(), EPOLLOUT, connection);
  }

  void handle(Connection& connection, uint32_t events) {
    if (connection.fd.get() < 0) return;  // closed earlier in this batch
    if (connection.is_connecting) {
      if (const int error = connect_error(connection.fd.get()))
        return fail(connection, "UNAVAILABLE", "CONNECT", std::strerror(error));
      connection.is_connecting = false;
      return write_request(connection);
    }
    if (events & EPOLLOUT) write_request(connection);
    if (connection.fd.get() >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
      read_answer(connection);
  }

  void write_request(Connection& connection) {
    while (connection.num_sent < connection.request.size()) {
      const ssize_t sent =
          ::send(connection.fd.get(), connection.request.data() + connection.num_sent,
                 connection.request.size() - connection.num_sent, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN)
        return loop_.change(connection.fd.get(), EPOLLIN | EPOLLOUT, connection);
      if (sent < 0) return lose(connection, std::strerror(errno));
      connection.num_sent += size_t(sent);
    }
    loop_.change(connection.fd.get(), EPOLLIN, connection);
  }

  void read_answer(Connection& connection) {
    TimePoint at;
    const ssize_t size = receive(connection.fd.get(), buffer_, &at);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (connection.sink == nullptr) return remove(connection);  // idle: the server closes it
    if (size < 0) return lose(connection, std::strerror(errno));
    if (size == 0 && !connection.http.finish()) return lose(connection, "the server hung up");
    const Status status = connection.http.feed(
        {buffer_, size_t(size)},
        [&](std::string_view piece) { return take_body(connection, at, piece); });
    if (!status.ok()) return fail(connection, "UNKNOWN", "PROTOCOL", status.message());
    if (connection.http.is_complete()) complete(connection, at, size > 0);
  }

  Status take_body(Connection& connection, TimePoint at, std::string_view piece) {
    if (connection.http.status() != 200) {
      if (connection.error_body.size() < kMaxErrorBytes) connection.error_body += piece;
      return {};
    }
    Status status;
    TERN_TRY(connection.sse.feed(piece, [&](std::string_view data) {
      if (status.ok()) status = take_event(connection, at, data);
    }));
    return status;
  }

  Status take_event(Connection& connection, TimePoint at, std::string_view data) {
    TERN_ASSIGN(const OpenAiEvent event, parse_openai_event(data));
    connection.is_done |= event.is_done;
    StreamEnd& end = connection.end;
    if (!event.error_message.empty()) {
      end.code = "UNKNOWN";
      end.reason = event.error_type;
      end.message = event.error_message;
    }
    if (event.prompt_tokens) end.input_tokens = event.prompt_tokens;
    if (event.completion_tokens) end.output_tokens = event.completion_tokens;
    if (event.cached_tokens) end.cached_tokens = *event.cached_tokens;
    if (!event.has_output) return {};
    connection.has_output = true;
    // A chunk is a token, unless the server counts as it goes.
    const int32_t total = event.completion_tokens.value_or(connection.num_tokens + 1);
    connection.sink->on_tokens(at, std::max(total - connection.num_tokens, 0));
    connection.num_tokens = std::max(total, connection.num_tokens);
    return {};
  }

  void complete(Connection& connection, TimePoint at, bool is_open) {
    StreamEnd end = std::move(connection.end);
    if (connection.http.status() != 200) {
      end.code = "HTTP " + std::to_string(connection.http.status());
      std::tie(end.reason, end.message) = parse_openai_error(connection.error_body);
    } else if (end.code.empty() && !connection.is_done && !connection.has_output) {
      end.code = "UNKNOWN";
      end.reason = "EMPTY_STREAM";
      end.message = "the stream held neither output nor [DONE]";
    }
    StreamSink* sink = std::exchange(connection.sink, nullptr);
    live_.erase(sink);
    if (is_open && connection.http.keeps_alive())
      idle_.push_back(&connection);
    else
      remove(connection);
    sink->on_end(at, std::move(end));
  }

  // The connection broke. A server may close an idle one while a request is on its way: that is
  // sent again, once, on a new one.
  void lose(Connection& connection, const std::string& why) {
    if (!connection.is_reused || connection.http.has_begun())
      return fail(connection, "UNAVAILABLE", "CONNECTION_LOST", why);
    StreamSink* sink = std::exchange(connection.sink, nullptr);
    live_.erase(sink);
    std::string request = std::move(connection.request);
    remove(connection);
    for (Connection* idle : std::exchange(idle_, {})) remove(*idle);  // most likely closed, too
    begin(sink, std::move(request));
  }

  void fail(Connection& connection, std::string code, std::string reason, std::string message) {
    StreamSink* sink = std::exchange(connection.sink, nullptr);
    live_.erase(sink);
    StreamEnd end = std::move(connection.end);
    end.code = std::move(code);
    end.reason = std::move(reason);
    end.message = std::move(message);
    remove(connection);
    sink->on_end(now(), std::move(end));
  }

  void remove(Connection& connection) {
    std::erase(idle_, &connection);
    connection.fd.reset();  // epoll forgets it
    const auto found = connections_.find(&connection);
    closed_.push_back(std::move(found->second));
    connections_.erase(found);
  }

  const HttpTransportOptions options_;
  std::string model_;
  SocketAddress address_;
  // The loop's thread.
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::unordered_map<StreamSink*, Connection*> live_;
  std::vector<Connection*> idle_;
  std::vector<std::unique_ptr<Connection>> closed_;
  char buffer_[kReadBytes];
  EventLoop loop_;  // last: its thread uses the rest
};

void Connection::on_ready(uint32_t epoll_events) {
  owner.handle(*this, epoll_events);
}

}  // namespace

std::unique_ptr<Transport> make_http_transport(const HttpTransportOptions& options) {
  return std::make_unique<HttpTransport>(options);
}

}  // namespace tern::bench
