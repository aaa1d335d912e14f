#include "server/http/listener.h"

#include <netdb.h>
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

#include "server/http/bound_socket.h"
#include "server/http/connection.h"
#include "server/http/connection_table.h"
#include "server/http/exchange.h"
#include "server/http/handler_pool.h"

namespace tern::http {
namespace {

using State = ConnectionTable::State;

constexpr size_t kMaxIdle = 256;    // connections beside those that have a thread
constexpr int kLookMs = 100;        // how often idle and slow connections are looked at
constexpr int kRetryAcceptMs = 20;  // where the process has no file descriptor left

std::string peer_of(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  auto* address = reinterpret_cast<sockaddr*>(&name);
  if (::getpeername(fd, address, &size) != 0) return "-";
  if (name.ss_family == AF_UNIX) return "unix";
  if (::getnameinfo(address, size, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "-";
  const bool is_v6 = name.ss_family == AF_INET6;
  return std::string(is_v6 ? "[" : "").append(host.data()).append(is_v6 ? "]:" : ":") + port.data();
}

}  // namespace

class Listener::Impl {
 public:
  Impl(const ListenerOptions& options, Handler handler, ListenerHooks hooks,
       std::vector<BoundSocket> sockets)
      : options_(options),
        handler_(std::move(handler)),
        hooks_(std::move(hooks)),
        sockets_(std::move(sockets)),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        table_(size_t(options.num_threads), size_t(options.num_threads) + kMaxIdle),
        pool_(size_t(options.num_threads)) {
    for (const BoundSocket& socket : sockets_) addresses_.push_back(socket.address());
    watch(stop_, EPOLL_CTL_ADD, 0);
    for (const BoundSocket& socket : sockets_) watch(socket.fd(), EPOLL_CTL_ADD, 0);
    acceptor_ = std::thread([this] { wait_and_accept(); });
  }

  ~Impl() {
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
    Connection connection(fd, peer_of(fd), options_.timeouts);
    Exchange::After after = serve_request(connection);
    while (after == Exchange::After::kKeep && !connection.unread().empty())
      after = serve_request(connection);
    if (after == Exchange::After::kKeep &&
        table_.set_idle(fd, [&] { watch(fd, EPOLL_CTL_MOD, EPOLLONESHOT); }))
      return;
    if (after == Exchange::After::kLinger) connection.linger();
    table_.remove(fd);
  }

  Exchange::After serve_request(Connection& connection) {
    if (!table_.set(connection.fd(), State::kReading)) return Exchange::After::kClose;
    return Exchange(connection, options_, handler_, hooks_).run(table_.is_crowded(), [&] {
      table_.set(connection.fd(), State::kBusy);  // where it is evicted, writing fails
    });
  }

  const ListenerOptions options_;
  const Handler handler_;
  const ListenerHooks hooks_;
  std::vector<BoundSocket> sockets_;
  std::vector<std::string> addresses_;
  const int stop_;  // readable: stop accepting
  const int epoll_;
  ConnectionTable table_;
  HandlerPool pool_;
  std::thread acceptor_;
};

Result<std::unique_ptr<Listener>> Listener::start(const ListenerOptions& options, Handler handler,
                                                  ListenerHooks hooks) {
  std::vector<BoundSocket> sockets;
  for (const std::string& address : options.listen) {
    Result<BoundSocket> socket = BoundSocket::bind(address);
    if (!socket.ok()) return socket.status();
    sockets.push_back(*std::move(socket));
  }
  if (sockets.empty()) return invalid_argument("http: no address to listen on");
  return std::unique_ptr<Listener>(new Listener(
      std::make_unique<Impl>(options, std::move(handler), std::move(hooks), std::move(sockets))));
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
