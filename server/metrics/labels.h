// Label values of metrics: closed sets, whatever clients send.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/code_name.h"
#include "server/api/request_record.h"

namespace tern::metrics {

inline constexpr size_t kNumClasses = 4;

/// How a request ended, apart from its code.
enum class Finish : uint8_t {
  kStopEos,
  kStopToken,
  kStopString,
  kLength,
  kMixed,
  kFailed,
  kRefused
};
inline constexpr std::array<std::string_view, 7> kFinishNames = {
    "stop_eos", "stop_token", "stop_string", "length", "mixed", "failed", "refused"};

Finish finish_of(const RequestRecord& record);

/// How a request ended, in four words. Failed are those that the engine had taken and that ended
/// neither well nor by their client's or an operator's will.
enum class Outcome : uint8_t { kOk, kCancelled, kRefused, kFailed };
inline constexpr std::array<std::string_view, 4> kOutcomeNames = {"ok", "cancelled", "refused",
                                                                  "failed"};
constexpr Outcome outcome_of(bool accepted, Code code) {
  if (!accepted) return Outcome::kRefused;
  if (code == Code::kOk) return Outcome::kOk;
  return code == Code::kCancelled ? Outcome::kCancelled : Outcome::kFailed;
}

/// The reasons of refusals that are told apart, and "other" for all that are not: last.
inline constexpr std::array<std::string_view, 24> kReasons = {"PARAM_OUT_OF_RANGE",
                                                              "CONSTRAINT_CONFLICT",
                                                              "CONTEXT_EXCEEDED",
                                                              "CHAT_TEMPLATE",
                                                              "MODEL_NOT_FOUND",
                                                              "FEATURE_DISABLED",
                                                              "MALFORMED_MESSAGE",
                                                              "MALFORMED_JSON",
                                                              "INVALID_UTF8",
                                                              "REQUEST_ID_IN_USE",
                                                              "QUEUE_FULL",
                                                              "QUEUE_TOKENS_FULL",
                                                              "QUEUE_TIMEOUT",
                                                              "DEADLINE_INFEASIBLE",
                                                              "TOO_MANY_STREAMS",
                                                              "LOADING",
                                                              "DRAINING",
                                                              "UNKNOWN_FIELD",
                                                              "NO_SUCH_ROUTE",
                                                              "METHOD_NOT_ALLOWED",
                                                              "MALFORMED_REQUEST",
                                                              "HEADER_TOO_LARGE",
                                                              "BODY_TOO_LARGE",
                                                              "other"};

/// Index into kReasons.
size_t reason_index(std::string_view reason);

/// Where a deadline was missed.
enum class DeadlineMiss : uint8_t { kAdmission, kQueue, kGeneration };
inline constexpr std::array<std::string_view, 3> kDeadlineMissNames = {"admission", "queue",
                                                                       "generation"};

/// Nothing where `record` did not end for its deadline.
std::optional<DeadlineMiss> deadline_miss(const RequestRecord& record);

}  // namespace tern::metrics
