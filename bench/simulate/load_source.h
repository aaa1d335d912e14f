// What a simulation is asked: prompts and lengths, from a trace, a data set, a daemon's log or a
// seed, and when.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "scheduler/sequence.h"

namespace tern::bench {

/// One known request. Its answer's length is what came of it, which no policy but `oracle` sees.
struct SourceRow {
  double at_s = 0;  ///< since the first row, where the source has times
  int32_t input_tokens = 1;
  int32_t output_tokens = 1;
  PriorityClass priority = PriorityClass::kDefault;
  std::string tenant;
  /// What a log says came of it, in seconds; 0 elsewhere.
  double logged_queue_s = 0, logged_ttft_s = 0, logged_e2el_s = 0;
  std::string prompt;            ///< for rankers; empty where the source has none
  std::vector<uint64_t> blocks;  ///< names of the prompt's blocks, as TraceRow::blocks
};

struct LoadSource {
  std::string name;
  std::vector<SourceRow> rows;
  bool has_times = false;      ///< rows stand in the order of their arrival
  bool has_blocks = false;     ///< some prompts share prefixes
  bool has_prompts = false;    ///< every row has its prompt's text
  bool has_latencies = false;  ///< rows have what was logged
  uint64_t num_skipped = 0;    ///< requests of a log that ended without a token

  double mean_output_tokens() const;
  int32_t max_output_tokens() const;
  /// Returns the tokens of prompt and answer together.
  int32_t max_total_tokens() const;
};

/// A trace (bench/support/trace.h).
Result<LoadSource> read_trace_source(const std::string& path);

/// JSON lines {"prompt": TEXT, "length": TOKENS}, with "prompt_tokens" (else 4/3 a word of the
/// prompt), "tenant" and "class" where they have them; other keys are ignored. kInvalidArgument:
/// "FILE:LINE: why".
Result<LoadSource> read_lengths_source(const std::string& path);
Result<LoadSource> parse_lengths(std::string_view text, const std::string& source);

/// What ternd logs of requests that ended (docs/observability.md, "The log"), in any of its
/// formats: a request arrived e2e_ms before the time of its line. Lines of other facts are passed
/// over, and so are a last line without its line feed, which a copy of a live log may have, and
/// requests without a token, which count as skipped. kInvalidArgument where there are none besides,
/// or "FILE:LINE: why" where such a line lacks a value.
Result<LoadSource> read_log_source(const std::string& path);
Result<LoadSource> parse_request_log(std::string_view text, const std::string& source);

struct SyntheticLengths {
  int32_t input_len = 256, output_len = 128;
  double range_ratio = 0;  ///< lengths are uniform in [(1 - r) · len, (1 + r) · len]
};
/// `count` rows of random lengths, as bench/serve draws them.
LoadSource make_synthetic_source(const SyntheticLengths& lengths, uint64_t count);

/// One request of a run.
struct SimArrival {
  double at_s = 0;
  int32_t row = 0;  ///< of the source
};

/// When, and which rows.
struct ArrivalPlan {
  uint64_t num_requests = 0;
  std::optional<double> rate;  ///< requests a second; unset: at the source's own times
  double burstiness = 1;       ///< see draw_arrivals()
  uint64_t seed = 0;
};

/// A source with times: its first rows, in order, at its times or at those stretched to `rate`.
/// Any other: rows drawn with replacement, at times drawn by draw_arrivals(); `rate` is needed
/// then.
std::vector<SimArrival> make_arrivals(const LoadSource& source, const ArrivalPlan& plan);

}  // namespace tern::bench
