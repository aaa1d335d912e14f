#include "server/http/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "base/log.h"
#include "server/http/bound_socket.h"
#include "server/http/connection.h"
#include "server/http/connection_table.h"
#include "server/http/error.h"
#include "server/http/thread_pool.h"

namespace tern::http {
namespace {

using State = ConnectionTable::State;

constexpr size_t kMaxKeepAlive = 1'000'000;  // requests of one connection: no limit
constexpr size_t kMaxIdle = 256;             // connections beside those that have a thread
constexpr int kLookMs = 100;                 // how often idle and slow connections are looked at
constexpr int kRetryAcceptMs = 20;           // where the process has no file descriptor left

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// The connection that this thread serves: httplib tells its handlers nothing of it.
thread_local Connection* t_connection = nullptr;

Request to_request(const httplib::Request& in, std::string body) {
  Request out{.method = in.method, .path = in.path, .body = std::move(body)};
  for (const auto& [name, value] : in.headers) out.headers.emplace(lower(name), value);
  out.client_gone = [connection = t_connection] { return connection->peer_gone(); };
  return out;
}

ApiError malformed(std::string message) {
  return {
      .code = Code::kInvalidArgument, .reason = "MALFORMED_REQUEST", .message = std::move(message)};
}

ApiError too_large(uint64_t limit) {
  return {.code = Code::kInvalidArgument,
          .reason = "BODY_TOO_LARGE",
          .message = "the request's body has more than " + std::to_string(limit) +
                     " bytes (http.max_body_bytes)"};
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Transfer-Encoding") ||
         (request.has_header("Content-Length") &&
          request.get_header_value("Content-Length") != "0");
}

// Two servers in a row must not see two different ends of a body.
bool has_clear_length(const httplib::Request& request) {
  const size_t num_lengths = request.get_header_value_count("Content-Length");
  const std::string length = request.get_header_value("Content-Length");
  if (request.has_header("Transfer-Encoding"))
    return num_lengths == 0 && lower(request.get_header_value("Transfer-Encoding")) == "chunked" &&
           request.get_header_value_count("Transfer-Encoding") == 1;
  return num_lengths == 0 ||
         (num_lengths == 1 && !length.empty() && length.size() < 19 &&
          std::all_of(length.begin(), length.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

// Writes a stream's body; what goes wrong in it ends the connection and nothing else.
bool write_stream(const Response& response, httplib::DataSink& sink) {
  try {
    response.stream([&](std::string_view piece) { return sink.write(piece.data(), piece.size()); });
  } catch (const std::exception& error) {
    spdlog::error("http: a stream failed: {}", error.what());
    return false;
  }
  sink.done();
  return true;
}

void set_body(const httplib::Request& request, const std::shared_ptr<Response>& from,
              httplib::Response& out) {
  if (from->stream) {
    const auto provide = [from](size_t, httplib::DataSink& sink) {
      return write_stream(*from, sink);
    };
    if (request.version == "HTTP/1.0")  // knows no chunks: the end of the connection is the end
      out.set_content_provider(from->content_type, provide);
    else
      out.set_chunked_content_provider(from->content_type, provide);
  } else if (from->keep && !from->body.empty()) {
    out.set_content_provider(from->body.size(), from->content_type,
                             [from](size_t offset, size_t size, httplib::DataSink& sink) {
                               return sink.write(from->body.data() + offset, size);
                             });
  } else if (!from->body.empty()) {
    out.set_content(std::move(from->body), from->content_type);
  }
}

}  // namespace

// httplib parses requests and writes responses; sockets, threads and limits are ours.
class Listener::Impl final : public httplib::Server {
 public:
  Impl(const ListenerOptions& options, http::Handler handler, std::vector<BoundSocket> sockets)
      : options_(options),
        handler_(std::move(handler)),
        sockets_(std::move(sockets)),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        table_(size_t(options.num_threads), size_t(options.num_threads) + kMaxIdle),
        pool_(size_t(options.num_threads)) {
    for (const BoundSocket& socket : sockets_) addresses_.push_back(socket.address());
    svr_sock_ = sockets_[0].fd();  // any: httplib takes none for a server that was stopped
    set_keep_alive_timeout(
        static_cast<time_t>(options_.timeouts.idle.count()));  // in a header only
    set_keep_alive_max_count(kMaxKeepAlive);
    set_handlers();
    watch(stop_, EPOLL_CTL_ADD, 0);
    for (const BoundSocket& socket : sockets_) watch(socket.fd(), EPOLL_CTL_ADD, 0);
    acceptor_ = std::thread([this] { wait_and_accept(); });
  }

  ~Impl() override {
    shutdown(Seconds(0));
    ::close(stop_);
    ::close(epoll_);
  }

  const std::vector<std::string>& addresses() const { return addresses_; }

  void shutdown(Seconds grace) {
    if (!acceptor_.joinable()) return;
    // It goes on handing out connections that end, but takes no new ones.
    for (const BoundSocket& socket : sockets_) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket.fd(), {});
    table_.close_all(grace);
    const uint64_t one = 1;
    TERN_CHECK(::write(stop_, &one, sizeof one) == sizeof one, "eventfd");
    acceptor_.join();
    pool_.shutdown();
    sockets_.clear();
  }

 private:
  // ---- sockets ----

  // Connections wait here for their next request; each that has one goes to the pool, once.
  void wait_and_accept() {
    std::array<epoll_event, 64> events;
    for (TimePoint last_look{};;) {
      const int num = ::epoll_wait(epoll_, events.data(), events.size(), kLookMs);
      for (int i = 0; i < num; ++i) {
        const int fd = events[i].data.fd;
        if (fd == stop_) return;
        if (is_listening(fd))
          accept_one(fd);
        else if (table_.set(fd, State::kQueued))
          pool_.run([this, fd] { serve(fd); });
        else
          table_.remove(fd);
      }
      const TimePoint now = std::chrono::steady_clock::now();
      if (now - last_look < std::chrono::milliseconds(kLookMs)) continue;
      table_.evict_waiting(options_.timeouts.idle);
      last_look = now;
    }
  }

  bool is_listening(int fd) const {
    return std::any_of(sockets_.begin(), sockets_.end(),
                       [fd](const BoundSocket& socket) { return socket.fd() == fd; });
  }

  // Tells of a file descriptor that can be read; with EPOLLONESHOT once, until it is called again.
  void watch(int fd, int operation, uint32_t flags) const {
    epoll_event event{};
    event.events = EPOLLIN | flags;
    event.data.fd = fd;
    TERN_CHECK(::epoll_ctl(epoll_, operation, fd, &event) == 0, "epoll_ctl");
  }

  void accept_one(int listening) {
    const int fd = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        std::this_thread::sleep_for(std::chrono::milliseconds(kRetryAcceptMs));
      return;
    }
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // fails on unix sockets, rightly
    if (table_.add(fd))
      watch(fd, EPOLL_CTL_ADD, EPOLLONESHOT);
    else
      ::close(fd);
  }

  // The request that has begun to come, and those that came right behind it.
  void serve(int fd) {
    Connection connection(fd, options_.timeouts);
    t_connection = &connection;
    bool alive = serve_request(connection);
    while (alive && connection.has_unread()) alive = serve_request(connection);
    t_connection = nullptr;
    if (alive && table_.set_idle(fd, [&] { watch(fd, EPOLL_CTL_MOD, EPOLLONESHOT); })) return;
    if (connection.unusable()) connection.linger();
    table_.remove(fd);
  }

  // False where the connection ends with this request.
  bool serve_request(Connection& connection) {
    if (!table_.set(connection.fd(), State::kReading)) return false;
    connection.begin_header();
    bool closed = false, parsed = false;
    const bool ok =
        process_request(connection, table_.is_crowded(), closed, [&](httplib::Request& request) {
          parsed = true;
          request.headers.erase("Accept-Encoding");  // compressing costs more than it saves here
          request.ranges.clear();
          connection.begin_body(options_.max_body_bytes);
          if (request.method != "POST" && has_body(request)) connection.set_unusable();
        });
    if (!parsed) connection.set_unusable();
    return ok && !closed && !connection.unusable();
  }

  // ---- requests ----

  void set_handlers() {
    const auto plain = [this](const httplib::Request& request, httplib::Response& response) {
      answer(request, "", response);
    };
    const auto unread = [this](const httplib::Request& request, httplib::Response& response,
                               const httplib::ContentReader&) { answer(request, "", response); };
    Get(".*", plain);
    Options(".*", plain);
    Put(".*", unread).Patch(".*", unread).Delete(".*", unread);
    Post(".*",
         [this](const httplib::Request& request, httplib::Response& response,
                const httplib::ContentReader& read) { answer_post(request, response, read); });
    set_error_handler(httplib::Server::HandlerWithResponse(
        [](const httplib::Request&, httplib::Response& response) { return complete(response); }));
    set_exception_handler(
        [](const httplib::Request& request, httplib::Response& response, std::exception_ptr what) {
          response.status = 500;
          try {
            std::rethrow_exception(what);
          } catch (const std::exception& error) {
            spdlog::error("http: {} {}: {}", request.method, request.path, error.what());
          }
        });
  }

  void answer_post(const httplib::Request& request, httplib::Response& response,
                   const httplib::ContentReader& read) {
    const std::string encoding = lower(request.get_header_value("Content-Encoding"));
    if (!encoding.empty() && encoding != "identity")
      return refuse(415, malformed("Content-Encoding '" + encoding + "' is not taken"), response);
    if (request.is_multipart_form_data())
      return refuse(415, malformed("a form is not taken; send the body as JSON"), response);
    if (!has_clear_length(request))
      return refuse(400, malformed("Content-Length or Transfer-Encoding: not clear"), response);
    const uint64_t limit = options_.max_body_bytes;
    if (request.get_header_value<uint64_t>("Content-Length") > limit)
      return refuse(413, too_large(limit), response);
    std::string body;
    const bool whole = !has_body(request) || read([&](const char* data, size_t size) {
      body.append(data, size);
      return body.size() <= limit;
    });
    if (body.size() > limit) return refuse(413, too_large(limit), response);
    if (!whole)
      return refuse(408,
                    malformed("the body did not come whole, or too slowly: " +
                              std::to_string(body.size()) + " bytes came"),
                    response);
    answer(request, std::move(body), response);
  }

  // The body, or what is left of it, is not read.
  static void refuse(int status, const ApiError& error, httplib::Response& out) {
    t_connection->set_unusable();
    const Response refusal = error_response(error);
    out.status = status;
    out.set_header("Connection", "close");
    out.set_content(refusal.body, refusal.content_type);
  }

  void answer(const httplib::Request& request, std::string body, httplib::Response& response) {
    table_.set(t_connection->fd(), State::kBusy);  // where it is evicted, writing fails
    send(request, handler_(to_request(request, std::move(body))), response);
  }

  static void send(const httplib::Request& request, Response from, httplib::Response& out) {
    out.status = from.status;
    for (const auto& [name, value] : from.headers) out.set_header(name, value);
    set_body(request, std::make_shared<Response>(std::move(from)), out);
  }

  // What httplib refuses by itself has no body yet.
  static HandlerResponse complete(httplib::Response& response) {
    if (response.body.empty() && !response.content_provider_) {
      const bool internal = response.status >= 500;
      const Response error =
          error_response(internal ? ApiError{.reason = "INTERNAL", .message = "the server failed"}
                                  : malformed("not an HTTP request that is taken here"));
      response.set_content(error.body, error.content_type);
    }
    return HandlerResponse::Handled;
  }

  const ListenerOptions options_;
  const http::Handler handler_;
  std::vector<BoundSocket> sockets_;
  std::vector<std::string> addresses_;
  const int stop_;  // readable: stop accepting
  const int epoll_;
  ConnectionTable table_;
  ThreadPool pool_;
  std::thread acceptor_;
};

Result<std::unique_ptr<Listener>> Listener::start(const ListenerOptions& options, Handler handler) {
  std::vector<BoundSocket> sockets;
  for (const std::string& address : options.listen) {
    Result<BoundSocket> socket = BoundSocket::bind(address);
    if (!socket.ok()) return socket.status();
    sockets.push_back(*std::move(socket));
  }
  if (sockets.empty()) return invalid_argument("http: no address to listen on");
  return std::unique_ptr<Listener>(
      new Listener(std::make_unique<Impl>(options, std::move(handler), std::move(sockets))));
}

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Listener::~Listener() = default;

const std::vector<std::string>& Listener::addresses() const {
  return impl_->addresses();
}

void Listener::shutdown(Seconds grace) {
  impl_->shutdown(grace);
}

}  // namespace tern::http
