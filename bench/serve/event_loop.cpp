#include "bench/serve/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tern::bench {
namespace {

constexpr int kEventsAtOnce = 256;

// A stream may have a connection of its own.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Status EventLoop::start(std::function<void()> on_batch_end) {
  raise_descriptor_limit();
  on_batch_end_ = std::move(on_batch_end);
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  wake_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  if (epoll_.get() < 0 || wake_.get() < 0 ||
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
    return Status(Code::kResourceExhausted, std::string("epoll: ") + std::strerror(errno));
  thread_ = std::thread([this] { run(); });
  return {};
}

void EventLoop::stop() {
  if (!thread_.joinable()) return;
  post([this] { stopping_ = true; });
  thread_.join();
}

void EventLoop::post(std::function<void()> task) {
  {
    const MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    if (tasks_.size() > 1) return;  // the loop is already called
  }
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof one);
}

void EventLoop::add(int fd, uint32_t events, Handler& handler) {
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void EventLoop::change(int fd, uint32_t events, Handler& handler) {
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::run() {
  epoll_event events[kEventsAtOnce];
  while (!stopping_) {
    const int count = epoll_wait(epoll_.get(), events, kEventsAtOnce, -1);
    bool has_tasks = false;
    // What has come first: its time counts, and tasks may take a while.
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr)
        has_tasks = true;
      else
        static_cast<Handler*>(events[i].data.ptr)->on_ready(events[i].events);
    }
    if (has_tasks) run_tasks();
    on_batch_end_();
  }
}

void EventLoop::run_tasks() {
  uint64_t count = 0;
  (void)!read(wake_.get(), &count, sizeof count);
  std::vector<std::function<void()>> tasks;
  {
    const MutexLock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const std::function<void()>& task : tasks) task();
}

}  // namespace tern::bench
