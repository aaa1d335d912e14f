#include "server/signals.h"

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

void Signals::request_drain(std::optional<Seconds> timeout) {
  const MutexLock lock(mutex_);
  if (std::exchange(drain_requested_, true)) return;
  if (seen_.stops > 0) return;  // drains already
  ++seen_.stops;
  seen_.drain_timeout = timeout;
  changed_.notify_all();
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
