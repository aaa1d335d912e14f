// What is asked: prompts and lengths, from a seed, a recorded trace or a data set.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/serve/request.h"
#include "bench/support/trace.h"

namespace tern::bench {

/// One line of a data set.
struct DatasetRow {
  std::string prompt;              ///< or
  std::vector<ChatTurn> messages;  ///< one of them
  std::optional<int32_t> max_tokens;
};

/// JSON lines {"prompt": TEXT} or {"messages": [{role, content}, …]}, with "max_tokens" where it is
/// not the run's. Other keys are ignored. kInvalidArgument: "FILE:LINE: why".
Result<std::vector<DatasetRow>> read_dataset(const std::string& path);
Result<std::vector<DatasetRow>> parse_dataset(std::string_view text, const std::string& source);

struct WorkloadOptions {
  int32_t input_len = 256;    ///< tokens of a random prompt
  int32_t output_len = 128;   ///< most tokens of an answer
  double range_ratio = 0;     ///< lengths are uniform in [(1 - r) · len, (1 + r) · len]
  bool as_text = false;       ///< random prompts are words, about a token each, not token ids
  double cancel_rate = 0;     ///< share of requests that the client cancels
  double cancel_after_s = 0;  ///< so long after they were sent
  uint64_t seed = 0;
  std::vector<TraceRow> trace;      ///< lengths (and block names), in order; or
  std::vector<DatasetRow> dataset;  ///< prompts; both begin anew at their end
};

/// Request i is a function of (options, server, i).
class Workload {
 public:
  /// `server`: its context clips the lengths, its vocabulary limits random ids. kInvalidArgument
  /// where ids are wanted and the vocabulary is not known, or where the context is too short.
  static Result<Workload> create(WorkloadOptions options, const ServerFacts& server);

  PlannedRequest request(uint64_t index) const;

  /// Whether request `index` was longer than the context: then it is clipped. Its answer keeps at
  /// most half of the context, or what the prompt leaves.
  bool is_clipped(uint64_t index) const;

 private:
  struct Lengths {
    int32_t input = 1, output = 1;
  };

  Workload(WorkloadOptions options, ServerFacts server)
      : options_(std::move(options)), server_(std::move(server)) {}
  Lengths wanted_lengths(uint64_t index) const;
  Lengths clip(Lengths lengths) const;
  uint64_t prompt_bits(uint64_t index, int32_t position) const;
  void fill_random(uint64_t index, int32_t num_tokens, PlannedRequest* out) const;
  const TraceRow* trace_row(uint64_t index) const;

  WorkloadOptions options_;
  ServerFacts server_;
};

}  // namespace tern::bench
