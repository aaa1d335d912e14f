// What is asked of a server under load, and what is written down of each answer.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bench/support/slo.h"

namespace tern::bench {

struct ChatTurn {
  std::string role, content;
};

/// One request. Exactly one of `token_ids`, `text` and `messages` is not empty.
struct PlannedRequest {
  std::vector<uint32_t> token_ids;
  std::string text;
  std::vector<ChatTurn> messages;
  int32_t max_tokens = 1;
  uint64_t seed = 0;
  std::optional<double> cancel_after_s;  ///< the client hangs up so long after it has sent
};

/// What all requests of a run have in common.
struct RequestSettings {
  bool ignore_eos = false;
  std::optional<double> temperature;  ///< unset: the server's default
  std::string priority = "default";   ///< system, interactive, default or bulk
};

/// What a server says of itself before the run; 0 or empty where it does not tell.
struct ServerFacts {
  std::string model;
  int32_t max_model_len = 0;
  int32_t vocab_size = 0;
  std::vector<uint32_t> eos_token_ids;
};

/// One streamed output, whatever it holds.
struct Chunk {
  double at_s = 0;  ///< since the run's start
  int32_t num_tokens = 0;
};

enum class Outcome { kPending, kCompleted, kFailed, kCancelled };

/// What a server's own clock says, where it sends that.
struct ServerTimings {
  double ttft_s = 0, e2e_s = 0;
};

/// The story of one request. Times are seconds since the run's start.
struct RequestRecord {
  double scheduled_s = 0;  ///< when it was due
  double sent_s = 0;       ///< when it was sent
  double begin_s = 0;      ///< what its latencies count from: one of the two
  double end_s = 0;
  std::vector<Chunk> chunks;
  Outcome outcome = Outcome::kPending;
  std::string code, reason, message;  ///< of a failure: "RESOURCE_EXHAUSTED" or "HTTP 429", …
  int32_t input_tokens = 0;           ///< the server's count, else the plan's
  int32_t output_tokens = 0;          ///< the server's count, else what was streamed
  int32_t cached_tokens = 0;
  std::optional<ServerTimings> server;

  double ttft_s() const { return chunks.empty() ? 0 : chunks.front().at_s - begin_s; }
  double e2el_s() const { return end_s - begin_s; }
  /// 0 of one token, which has none.
  double tpot_s() const {
    return output_tokens > 1 ? (e2el_s() - ttft_s()) / (output_tokens - 1) : 0;
  }
  Latencies latencies() const { return {ttft_s(), tpot_s(), e2el_s()}; }
};

}  // namespace tern::bench
