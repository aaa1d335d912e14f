// Rows of logits that a pass over a vocabulary could stumble on.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"

namespace tern {

struct HostileRow {
  std::string name;
  std::vector<float> logits;  ///< finite
};

/// Nearly normal, of mean 0 and deviation 1.
inline float normal_noise(uint64_t seed, uint64_t i) {
  double sum = -6;
  for (uint64_t k = 0; k < 12; ++k) sum += random_uniform(seed, RngStream::kTest, i * 12 + k);
  return float(sum);
}

/// Every size around the widths of lanes and blocks, with every shape of a distribution.
inline std::vector<HostileRow> hostile_rows() {
  std::vector<HostileRow> rows;
  for (const int size : {1, 2, 7, 15, 16, 17, 31, 33, 127, 128, 129, 1023, 1024, 1025, 5000}) {
    const auto add = [&](const char* name, const auto& value) {
      HostileRow& row = rows.emplace_back();
      row.name = std::string(name) + " of " + std::to_string(size);
      for (int i = 0; i < size; ++i) row.logits.push_back(float(value(i)));
    };
    add("noise", [](int i) { return normal_noise(1, i); });
    add("peaked", [](int i) { return 6 * normal_noise(2, i); });
    add("nearly flat", [](int i) { return 0.01f * normal_noise(3, i); });
    add("ties", [](int i) { return std::round(2 * normal_noise(4, i)); });
    add("all equal", [](int) { return -3.25f; });
    add("one beside hopeless ones", [&](int i) { return i == size / 2 ? 4.0f : -1e30f; });
    add("huge", [](int i) { return i % 3 ? -FLT_MAX : FLT_MAX; });
    add("on the way to nothing", [](int i) { return -0.07f * float(i); });
  }
  HostileRow& row = rows.emplace_back(HostileRow{"a vocabulary", {}});
  for (int i = 0; i < 128256; ++i) row.logits.push_back(normal_noise(5, i));
  return rows;
}

}  // namespace tern
