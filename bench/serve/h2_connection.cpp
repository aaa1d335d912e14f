#include "bench/serve/h2_connection.h"

#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace tern::bench {
namespace {

constexpr int kUnavailable = 14, kCancelled = 1, kUnknown = 2, kInternal = 13;
// Windows that no stream of tokens fills: the client reads all it gets at once.
constexpr int32_t kStreamWindow = 4 << 20, kConnectionWindow = 256 << 20;
constexpr size_t kReadBytes = 256 << 10;

nghttp2_nv header(std::string_view name, std::string_view value) {
  // nghttp2 copies both; its interface is not const-correct.
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

std::string_view view(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// The code of a stream that ended without a status (PROTOCOL-HTTP2.md, "Errors").
int code_of(uint32_t h2_error) {
  switch (h2_error) {
    case NGHTTP2_REFUSED_STREAM:
      return kUnavailable;
    case NGHTTP2_CANCEL:
      return kCancelled;
    default:
      return kInternal;
  }
}

}  // namespace

struct H2Connection::Stream {
  GrpcCallSink* sink = nullptr;
  int32_t id = 0;
  std::string body;
  size_t num_sent = 0;
  GrpcMessageReader reader;
  GrpcStatus status;
  std::string http_status;
};

// What nghttp2 calls. A stream's user data is its Stream, null when it has ended.
struct H2Connection::Callbacks {
  static Stream* stream_of(nghttp2_session* session, int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static ssize_t read_body(nghttp2_session*, int32_t, uint8_t* to, size_t size, uint32_t* flags,
                           nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Stream*>(source->ptr);
    const size_t count = std::min(size, stream.body.size() - stream.num_sent);
    std::memcpy(to, stream.body.data() + stream.num_sent, count);
    stream.num_sent += count;
    if (stream.num_sent == stream.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return ssize_t(count);
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    Stream* stream = stream_of(session, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (view(name, name_size) == ":status")
      stream->http_status = view(value, value_size);
    else
      stream->status.take_header(view(name, name_size), view(value, value_size));
    return 0;
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data,
                     size_t size, void* user) {
    Stream* stream = stream_of(session, id);
    if (stream == nullptr) return 0;
    const TimePoint at = static_cast<H2Connection*>(user)->read_at_;
    const Status status = stream->reader.feed(view(data, size), [&](std::string_view message) {
      return stream->sink->on_message(at, message);
    });
    if (status.ok()) return 0;
    stream->status.code = int(status.code());
    stream->status.message = status.message();
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    return 0;
  }

  static int on_close(nghttp2_session* session, int32_t id, uint32_t h2_error, void* user) {
    Stream* stream = stream_of(session, id);
    if (stream == nullptr) return 0;
    GrpcStatus status = std::move(stream->status);
    if (status.code < 0 && !stream->http_status.empty() && stream->http_status != "200") {
      status = {.code = kUnknown, .message = "HTTP " + stream->http_status};
    } else if (status.code < 0) {
      status.code = code_of(h2_error);
      status.message =
          std::string("the stream ended without a status: ") + nghttp2_http2_strerror(h2_error);
    }
    static_cast<H2Connection*>(user)->end_stream(*stream, std::move(status));
    return 0;
  }
};

H2Connection::H2Connection(EventLoop& loop, SocketAddress address, std::string authority)
    : loop_(loop), address_(address), authority_(std::move(authority)) {}

H2Connection::~H2Connection() {
  nghttp2_session_del(session_);
}

bool H2Connection::open() {
  if (session_ != nullptr) return true;
  Result<Fd> fd = address_.connect();
  if (!fd.ok()) return false;
  fd_ = *std::move(fd);
  nghttp2_session_callbacks* callbacks = nullptr;
  TERN_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0, "memory for nghttp2");
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
  TERN_CHECK(nghttp2_session_client_new(&session_, callbacks, this) == 0, "memory for nghttp2");
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, uint32_t(kStreamWindow)}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  out_.clear();
  num_written_ = 0;
  is_connecting_ = waits_for_room_ = true;
  loop_.add(fd_.get(), EPOLLIN | EPOLLOUT, *this);
  return true;
}

void H2Connection::call(const std::string& path, std::string_view message, GrpcCallSink& sink) {
  if (!open())
    return sink.on_end(std::chrono::steady_clock::now(),
                       {.code = kUnavailable, .message = "no socket"});
  auto owned = std::make_unique<Stream>();
  Stream& stream = *owned;
  stream.sink = &sink;
  stream.body = frame_grpc_message(message);
  const nghttp2_nv headers[] = {header(":method", "POST"),
                                header(":scheme", "http"),
                                header(":path", path),
                                header(":authority", authority_),
                                header("content-type", "application/grpc"),
                                header("te", "trailers"),
                                header("user-agent", "tern-bench")};
  nghttp2_data_provider body{.source = {.ptr = &stream}, .read_callback = Callbacks::read_body};
  stream.id =
      nghttp2_submit_request(session_, nullptr, headers, std::size(headers), &body, &stream);
  if (stream.id < 0)
    return sink.on_end(std::chrono::steady_clock::now(),
                       {.code = kUnavailable, .message = nghttp2_strerror(stream.id)});
  streams_.emplace(&sink, std::move(owned));
}

void H2Connection::cancel(GrpcCallSink& sink) {
  const auto found = streams_.find(&sink);
  if (found == streams_.end()) return;
  Stream& stream = *found->second;
  stream.status = {.code = kCancelled, .message = "cancelled by the client"};
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
  read_at_ = std::chrono::steady_clock::now();
}

void H2Connection::end_stream(Stream& stream, GrpcStatus status) {
  GrpcCallSink& sink = *stream.sink;
  if (session_ != nullptr) nghttp2_session_set_stream_user_data(session_, stream.id, nullptr);
  streams_.erase(&sink);
  sink.on_end(read_at_, std::move(status));
}

void H2Connection::on_ready(uint32_t epoll_events) {
  if (session_ == nullptr) return;
  if (is_connecting_) {
    if (const int error = connect_error(fd_.get())) return lose(std::strerror(error));
    is_connecting_ = false;
  }
  if (epoll_events & EPOLLOUT) {
    waits_for_room_ = false;
    loop_.change(fd_.get(), EPOLLIN, *this);
  }
  if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read();
}

void H2Connection::read() {
  static thread_local char buffer[kReadBytes];
  const ssize_t size = receive(fd_.get(), buffer, &read_at_);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return lose(size == 0 ? "the server hung up" : std::strerror(errno));
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(buffer), size_t(size));
  if (taken < 0) lose(nghttp2_strerror(int(taken)));
}

void H2Connection::flush() {
  if (session_ == nullptr || is_connecting_ || waits_for_room_) return;
  const uint8_t* data = nullptr;
  for (ssize_t size; (size = nghttp2_session_mem_send(session_, &data)) != 0;) {
    if (size < 0) return lose(nghttp2_strerror(int(size)));
    out_ += view(data, size_t(size));
  }
  if (!out_.empty()) write_out();
  // The connection ends after GOAWAY and the last stream, or a protocol error.
  if (session_ != nullptr && !nghttp2_session_want_read(session_) &&
      !nghttp2_session_want_write(session_))
    lose("the server ended the connection");
}

void H2Connection::write_out() {
  while (num_written_ < out_.size()) {
    const ssize_t size =
        send(fd_.get(), out_.data() + num_written_, out_.size() - num_written_, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      waits_for_room_ = true;
      return loop_.change(fd_.get(), EPOLLIN | EPOLLOUT, *this);
    }
    if (size < 0) return lose(std::strerror(errno));
    num_written_ += size_t(size);
  }
  out_.clear();
  num_written_ = 0;
}

void H2Connection::lose(const std::string& why) {
  // nghttp2 does not tell of streams that its session had.
  nghttp2_session_del(std::exchange(session_, nullptr));
  fd_.reset();
  is_connecting_ = waits_for_room_ = false;
  read_at_ = std::chrono::steady_clock::now();
  const auto streams = std::exchange(streams_, {});
  for (const auto& [sink, stream] : streams)
    sink->on_end(read_at_, {.code = kUnavailable, .message = why});
}

}  // namespace tern::bench
