// Waiting for what another thread brings about.
#pragma once

#include <chrono>
#include <thread>

namespace tern::test {

/// Up to 10 s: a bound, not a measurement.
template <class Condition>
bool eventually(Condition&& condition) {
  for (int i = 0; i < 10000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

}  // namespace tern::test
