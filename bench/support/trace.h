// Recorded traffic: when requests came, and how long they were.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tern::bench {

/// Tokens of a block that TraceRow::blocks names.
inline constexpr int32_t kTraceBlockTokens = 512;

struct TraceRow {
  double at_s = 0;  ///< since the first row
  int32_t input_tokens = 0;
  int32_t output_tokens = 0;
  /// Names of the prompt's blocks, where the trace has them: equal names, equal tokens.
  std::vector<uint64_t> blocks;
};

/// Reads Azure's CSV (TIMESTAMP, ContextTokens, GeneratedTokens) or Mooncake's JSON lines
/// (timestamp in ms, input_length, output_length, hash_ids); the first line tells which. Rows are
/// sorted by time; those that ask for no token at all get one. kInvalidArgument: "FILE:LINE: why".
Result<std::vector<TraceRow>> read_trace(const std::string& path);

/// Reads the text of such a file; `source` names it in errors.
Result<std::vector<TraceRow>> parse_trace(std::string_view text, const std::string& source);

}  // namespace tern::bench
