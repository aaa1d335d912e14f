// What the log says while a model is loaded.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/load/loader.h"

namespace tern {

/// Knows no clock: time comes with every call. One thread.
class LoadLog {
 public:
  explicit LoadLog(TimePoint start) : last_line_(start) {}

  /// Takes note of progress. The line to log: at most one a second, and of weights one for a tenth
  /// or ten seconds; empty = none.
  std::string on_progress(const LoadProgress& progress, TimePoint now);

  /// "config 0.00 s, tokenizer 0.12 s, weights 0.25 s (2.47 GB, 9.88 GB/s), memory 0.02 s".
  std::string summary(TimePoint now) const;

 private:
  struct Stage {
    std::string name;
    TimePoint start;
  };
  std::string weights_line(TimePoint now) const;

  std::vector<Stage> stages_;
  TimePoint last_line_;
  double last_fraction_ = 0;  // of the last line
  LoadProgress weights_;      // newest
};

}  // namespace tern
