// What is known of a request when it has ended, or was refused: for metrics and status pages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "engine/step/token_sink.h"
#include "scheduler/sequence.h"

namespace tern {

enum class Transport : uint8_t { kGrpc, kHttp };

constexpr std::string_view transport_name(Transport transport) {
  return transport == Transport::kGrpc ? "grpc" : "http";
}

/// One request, whatever its number of answers.
struct RequestRecord {
  std::string request_id;  ///< empty where the request was refused before it had one
  Transport transport = Transport::kGrpc;
  PriorityClass priority = PriorityClass::kDefault;
  bool accepted = false;  ///< by the engine; else refused
  Code code = Code::kOk;
  std::string reason;  ///< ErrorInfo.reason; empty where the code is ok
  std::optional<FinishReason>
      finish;  ///< of all answers; none where they differ, or code is not ok

  int32_t n = 1;
  int32_t max_tokens = 0;  ///< as asked for; 0 = what the context leaves
  int32_t prompt_tokens = 0;
  int32_t cached_tokens = 0;
  int32_t completion_tokens = 0;  ///< of all answers
  int32_t num_preemptions = 0;    ///< of all answers
  int32_t num_recomputed_tokens = 0;

  // Since the server began to read the request: what tokenising it took is in them.
  Seconds queue{0};             ///< to the first admission, or the end where there was none
  std::optional<Seconds> ttft;  ///< to the first token of any answer
  Seconds e2e{0};               ///< to the end of the last answer
  /// Mean time between tokens of one answer; none without an answer of two tokens.
  std::optional<Seconds> tpot;
  std::optional<Seconds> cancel_to_end;  ///< where the client gave it up
};

/// Hears of each request once.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;

  /// Any thread, the engine's too: must be quick and not call the engine.
  virtual void on_request_end(const RequestRecord& record) = 0;
};

}  // namespace tern
