// Status and Result<T>: how tern reports failures that a caller can act on.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/clock.h"

namespace tern {

/// Values equal gRPC's canonical codes, so that server/ converts with one cast.
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// What programs read of a failure besides its code.
struct FailureDetail {
  std::string reason;                           ///< UPPER_SNAKE, stable: "QUEUE_FULL"
  std::map<std::string, std::string> metadata;  ///< "limit", "value", …
  std::optional<Seconds> retry_after;           ///< when another try may succeed
};

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  Status(Code code, std::string message, FailureDetail detail) : Status(code, std::move(message)) {
    detail_ = std::make_shared<const FailureDetail>(std::move(detail));
  }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const FailureDetail* detail() const { return detail_.get(); }  ///< or null

  /// Returns this failure as it is seen from one level up: "`context`: message". Ok stays ok.
  Status with_context(std::string_view context) const {
    Status out = *this;
    if (!ok()) out.message_ = std::string(context) + ": " + message_;
    return out;
  }

 private:
  Code code_ = Code::kOk;
  std::string message_;
  std::shared_ptr<const FailureDetail> detail_;  // shared: statuses are copied to all who wait
};

/// Short for the commonest failure: what the caller gave cannot be used.
inline Status invalid_argument(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

/// A value or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit on purpose
    TERN_CHECK(!status_.ok(), "a Result without a value needs a failure");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace tern

/// Leaves the enclosing function with the Status of `expr` unless it is ok.
#define TERN_TRY(expr)                                                              \
  do {                                                                              \
    if (::tern::Status tern_status = (expr); !tern_status.ok()) return tern_status; \
  } while (false)

#define TERN_CONCAT_INNER(a, b) a##b
#define TERN_CONCAT(a, b) TERN_CONCAT_INNER(a, b)

/// `TERN_ASSIGN(auto x, f());`: x is the value of the Result, or the function returns its Status.
#define TERN_ASSIGN(lhs, expr) TERN_ASSIGN_INNER(lhs, expr, TERN_CONCAT(tern_result_, __LINE__))
#define TERN_ASSIGN_INNER(lhs, expr, result) \
  auto result = (expr);                      \
  if (!result.ok()) return result.status();  \
  lhs = *std::move(result)
