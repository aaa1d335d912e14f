// A sign of life while somebody waits.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace tern {

/// Shows, from construction to stop(), one line on stderr that moves and counts seconds, where that
/// is a terminal which can take lines back; nothing elsewhere. A wait too short to be noticed shows
/// nothing.
class Spinner {
 public:
  explicit Spinner(std::string label);
  ~Spinner() { stop(); }

  /// Takes the line away. Idempotent.
  void stop();

 private:
  void run(const std::stop_token& stop);

  const std::string label_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace tern
