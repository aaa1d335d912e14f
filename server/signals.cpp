#include "server/signals.h"

#include <algorithm>
#include <csignal>
#include <initializer_list>

namespace tern {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

Signals::Signals() {
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error of its own write
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { receive(); });
}

Signals::~Signals() {
  closing_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);  // blocked everywhere: only ends its sigwait
  thread_.join();
}

bool Signals::request_drain(std::optional<Seconds> timeout) {
  const MutexLock lock(mutex_);
  const bool is_first = seen_.stops == 0;
  if (is_first) {
    ++seen_.stops;
    seen_.drain_timeout = timeout;
  } else if (timeout) {
    const auto by = std::chrono::steady_clock::now() + to_duration(*timeout);
    seen_.drain_by = std::min(seen_.drain_by.value_or(by), by);
  }
  changed_.notify_all();
  return is_first;
}

void Signals::receive() {
  const sigset_t set = handled_signals();
  for (int signal = 0; sigwait(&set, &signal) == 0 && !closing_;) {
    const MutexLock lock(mutex_);
    ++(signal == SIGHUP ? seen_.reloads : seen_.stops);
    changed_.notify_all();
  }
}

}  // namespace tern
