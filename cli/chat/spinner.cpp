#include "cli/chat/spinner.h"

#include <unistd.h>

#include <chrono>
#include <iostream>

#include "cli/support/terminal.h"

namespace tern {
namespace {

constexpr auto kFrame = std::chrono::milliseconds(120);
constexpr int kFramesUnseen = 2;

}  // namespace

Spinner::Spinner(std::string label) : label_(std::move(label)) {
  if (is_screen(STDERR_FILENO)) thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
}

void Spinner::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Spinner::run(const std::stop_token& stop) {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  int frame = 0;
  while (!wake_.wait_for(lock, stop, kFrame, [&] { return stop.stop_requested(); })) {
    if (++frame < kFramesUnseen) continue;
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin)
            .count();
    std::cerr << "\r"
              << "|/-\\"[frame % 4] << ' ' << label_ << ' ' << seconds << " s\033[K" << std::flush;
  }
  if (frame >= kFramesUnseen) std::cerr << "\r\033[K" << std::flush;
}

}  // namespace tern
