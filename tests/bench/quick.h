// Efforts that a test can afford: what is measured is not what is tested.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/roofline.h"

namespace tern {

inline ProbeEffort quick_effort() {
  return {.passes = 1, .pass_s = 1e-4, .dram_bytes = size_t(1) << 20};
}

inline std::string text(const nlohmann::json& row, const char* key) {
  return row.at(key).get<std::string>();
}

}  // namespace tern
