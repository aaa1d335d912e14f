#include "server/metrics/labels.h"

#include <algorithm>

namespace tern::metrics {

Finish finish_of(const RequestRecord& record) {
  if (!record.accepted) return Finish::kRefused;
  if (record.code != Code::kOk) return Finish::kFailed;
  if (!record.finish) return Finish::kMixed;
  switch (*record.finish) {
    case FinishReason::kEos:
      return Finish::kStopEos;
    case FinishReason::kStopToken:
      return Finish::kStopToken;
    case FinishReason::kStopString:
      return Finish::kStopString;
    case FinishReason::kLength:
      return Finish::kLength;
  }
  return Finish::kMixed;
}

size_t reason_index(std::string_view reason) {
  return static_cast<size_t>(std::find(kReasons.begin(), kReasons.end() - 1, reason) -
                             kReasons.begin());
}

std::optional<DeadlineMiss> deadline_miss(const RequestRecord& record) {
  if (!record.accepted &&
      (record.reason == "DEADLINE_INFEASIBLE" || record.code == Code::kDeadlineExceeded))
    return DeadlineMiss::kAdmission;
  if (record.code != Code::kDeadlineExceeded) return {};
  return record.reason == "QUEUE_TIMEOUT" ? DeadlineMiss::kQueue : DeadlineMiss::kGeneration;
}

}  // namespace tern::metrics
