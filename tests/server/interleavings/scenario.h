// What the parts of one random scenario share: its draws, its clock, and how it fails.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <string_view>

#include "base/clock.h"

namespace tern {

/// What happened in many scenarios; shows that the hard cases were met.
struct Coverage {
  uint64_t turns = 0, steps = 0, preemptions = 0, turns_within_submit = 0;
  uint64_t accepted = 0, completed = 0, several_answers = 0, held_cancels = 0;
  uint64_t queue_full = 0, queue_tokens_full = 0, infeasible = 0, too_late = 0, duplicates = 0,
           too_long = 0, draining = 0;
  uint64_t cancelled_queued = 0, cancelled_running = 0, late_cancels = 0;
  uint64_t aborted = 0, abort_finished = 0, abort_unknown = 0;
  uint64_t deadline_queued = 0, deadline_running = 0;
  uint64_t pauses = 0, resumes = 0, slow_readers = 0;
  uint64_t poisoned = 0, shed = 0, shut_down = 0;
  uint64_t several_tokens = 0, stop_strings = 0, prompt_logprobs = 0;
  uint64_t streams = 0, unary = 0, http = 0;
};

/// One thread.
class Scenario {
 public:
  Scenario(uint64_t number, Coverage& coverage)
      : coverage(coverage), number_(number), rng_(static_cast<uint32_t>(number)) {}

  ManualClock clock;
  Coverage& coverage;
  uint64_t num_operations = 0;

  uint64_t number() const { return number_; }
  uint32_t draw(uint32_t limit) { return static_cast<uint32_t>(rng_() % limit); }  // in [0, limit)
  bool one_in(uint32_t n) { return draw(n) == 0; }

  /// Fails the running test case where a rule is broken.
  void expect(bool ok, const char* what) const {
    if (!ok)
      FAIL("scenario " << number_ << ", operation " << num_operations << ": not true: " << what);
  }

  /// Takes what happened into digest().
  void note(uint64_t value) {
    digest_ = (digest_ ^ (value + 0x9E3779B97F4A7C15u)) * 0xBF58476D1CE4E5B9u;
    digest_ ^= digest_ >> 27;
  }
  void note(std::string_view text) {
    for (const char c : text) note(uint64_t(c));
  }
  uint64_t digest() const { return digest_; }

 private:
  const uint64_t number_;
  std::mt19937 rng_;
  uint64_t digest_ = 0;
};

}  // namespace tern
