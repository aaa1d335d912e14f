// A tern.v1 server in a thread whose times are known: it steps like an engine, every stream gets a
// token at every step, and what it tells of its own times is when it wrote.
#pragma once

#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <thread>

#include "bench/serve/grpc_wire.h"
#include "bench/serve/socket.h"
#include "tern/v1/control.pb.h"
#include "tern/v1/inference.pb.h"

namespace tern::test {

class KnownServer {
 public:
  /// Listens on the Unix socket `path`. A stream's first token comes with the second step after it.
  KnownServer(const std::string& path, Seconds step) : step_(to_duration(step)) {
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_un address{.sun_family = AF_UNIX};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_.get(), 64) != 0)
      std::abort();
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
  }

 private:
  struct Stream {
    int32_t id = 0;
    std::string path, received, out;  // `out`: framed messages that are not yet sent
    int32_t num_steps = 0, num_tokens = 0, max_tokens = 0;
    TimePoint accepted, first_token;
    bool is_live = false, is_over = false, is_deferred = false;
  };

  struct Connection {
    ~Connection() { nghttp2_session_del(session); }
    bench::Fd fd;
    nghttp2_session* session = nullptr;
    std::map<int32_t, Stream> streams;
  };

  static void add(Stream& stream, const google::protobuf::Message& message) {
    stream.out += bench::frame_grpc_message(message.SerializeAsString());
  }

  static ssize_t read_out(nghttp2_session* session, int32_t id, uint8_t* to, size_t size,
                          uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Stream*>(source->ptr);
    if (stream.out.empty() && !stream.is_over) {
      stream.is_deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const size_t count = std::min(size, stream.out.size());
    stream.out.copy(reinterpret_cast<char*>(to), count);
    stream.out.erase(0, count);
    if (!stream.out.empty() || !stream.is_over) return ssize_t(count);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const nghttp2_nv trailer = header("grpc-status", "0");
    nghttp2_submit_trailer(session, id, &trailer, 1);
    return ssize_t(count);
  }

  static nghttp2_nv header(std::string_view name, std::string_view value) {
    return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
            NGHTTP2_NV_FLAG_NONE};
  }

  static void begin(Connection& connection, Stream& stream) {
    stream.accepted = std::chrono::steady_clock::now();
    if (stream.path == "/tern.v1.Control/GetModelInfo") {
      v1::ModelInfo info;
      info.set_name("known");
      info.set_max_model_len(4096);
      info.set_vocab_size(100);
      add(stream, info);
      stream.is_over = true;
    } else {
      v1::GenerateRequest request;
      request.ParseFromString(stream.received.substr(5));
      stream.max_tokens = int32_t(request.sampling().stopping().max_tokens());
      v1::GenerateEvent event;
      event.mutable_accepted()->set_request_id("x");
      add(stream, event);
      stream.is_live = true;
    }
    const nghttp2_nv headers[] = {header(":status", "200"),
                                  header("content-type", "application/grpc")};
    nghttp2_data_provider data{.source = {.ptr = &stream}, .read_callback = read_out};
    nghttp2_submit_response(connection.session, stream.id, headers, 2, &data);
  }

  void accept_one() {
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
    auto owned = std::make_unique<Connection>();
    Connection& connection = *owned;
    connection.fd.reset(fd);
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t n,
                      const uint8_t* value, size_t size, uint8_t, void* user) {
          Stream& stream = static_cast<Connection*>(user)->streams[frame->hd.stream_id];
          stream.id = frame->hd.stream_id;
          if (std::string_view(reinterpret_cast<const char*>(name), n) == ":path")
            stream.path.assign(reinterpret_cast<const char*>(value), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
          static_cast<Connection*>(user)->streams[id].received.append(
              reinterpret_cast<const char*>(data), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          auto& connection = *static_cast<Connection*>(user);
          if ((frame->hd.type == NGHTTP2_DATA) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            begin(connection, connection.streams[frame->hd.stream_id]);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t, void* user) {
          static_cast<Connection*>(user)->streams.erase(id);
          return 0;
        });
    nghttp2_session_server_new(&connection.session, callbacks, &connection);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
    nghttp2_submit_settings(connection.session, NGHTTP2_FLAG_NONE, &window, 1);
    nghttp2_session_set_local_window_size(connection.session, NGHTTP2_FLAG_NONE, 0, 1 << 30);
    connections_.push_back(std::move(owned));
  }

  static void step(Stream& stream, TimePoint at) {
    if (!stream.is_live || ++stream.num_steps < 2) return;
    if (stream.num_tokens == 0) stream.first_token = at;
    ++stream.num_tokens;
    v1::GenerateEvent event;
    event.mutable_delta()->set_text("x");
    event.mutable_delta()->set_num_tokens(1);
    add(stream, event);
    if (stream.num_tokens < stream.max_tokens) return;
    const auto us = [&](TimePoint t) { return uint64_t(to_seconds(t - stream.accepted) * 1e6); };
    v1::Finished& finished = *event.mutable_finished();
    finished.mutable_usage()->set_completion_tokens(uint32_t(stream.num_tokens));
    finished.mutable_timings()->set_ttft_us(us(stream.first_token));
    finished.mutable_timings()->set_e2e_us(us(at));
    add(stream, event);
    stream.is_over = true;
    stream.is_live = false;
  }

  // The bytes of a step are made before its time and written in one go at it.
  static std::string serialize(Connection& connection) {
    std::string out;
    const uint8_t* data = nullptr;
    for (ssize_t size; (size = nghttp2_session_mem_send(connection.session, &data)) > 0;)
      out.append(reinterpret_cast<const char*>(data), size_t(size));
    return out;
  }

  static void write(Connection& connection, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(connection.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size > 0) bytes.remove_prefix(size_t(size));
      if (size < 0 && errno != EAGAIN && errno != EINTR) return;
    }
  }

  void step_all(TimePoint at) {
    std::vector<std::string> out;
    for (const auto& connection : connections_) {
      for (auto& [id, stream] : connection->streams) {
        step(stream, at);
        if (std::exchange(stream.is_deferred, false) && (!stream.out.empty() || stream.is_over))
          nghttp2_session_resume_data(connection->session, id);
        else
          stream.is_deferred = stream.is_deferred || (stream.out.empty() && !stream.is_over);
      }
      out.push_back(serialize(*connection));
    }
    while (std::chrono::steady_clock::now() < at) {
    }
    for (size_t i = 0; i < out.size(); ++i) write(*connections_[i], out[i]);
  }

  void run(const std::stop_token& stop) {
    constexpr auto kAhead = std::chrono::microseconds(1500);  // for making the bytes
    TimePoint next = std::chrono::steady_clock::now() + step_;
    while (!stop.stop_requested()) {
      const auto left = next - kAhead - std::chrono::steady_clock::now();
      if (left <= Duration::zero()) {
        step_all(next);
        next += step_;
        continue;
      }
      std::vector<pollfd> fds = {{listener_.get(), POLLIN, 0}};
      for (const auto& connection : connections_) fds.push_back({connection->fd.get(), POLLIN, 0});
      const timespec timeout{0, std::chrono::nanoseconds(left).count()};
      if (ppoll(fds.data(), fds.size(), &timeout, nullptr) <= 0) continue;
      for (size_t i = 1; i < fds.size(); ++i)
        if (fds[i].revents) receive(*connections_[i - 1]);
      if (fds[0].revents) accept_one();
    }
  }

  static void receive(Connection& connection) {
    static char buffer[1 << 16];
    const ssize_t size = recv(connection.fd.get(), buffer, sizeof buffer, 0);
    if (size <= 0) return;
    nghttp2_session_mem_recv(connection.session, reinterpret_cast<uint8_t*>(buffer), size_t(size));
    write(connection, serialize(connection));  // Accepted, and the protocol's own
  }

  const Duration step_;
  bench::Fd listener_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace tern::test
