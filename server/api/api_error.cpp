#include "server/api/api_error.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <cmath>

#include "base/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace tern {
namespace {

namespace pb = google::protobuf;

constexpr int kMaxNesting = 100;  // protobuf's own limit
constexpr Seconds kRetryLater{1.0};

struct BadText {
  std::string field;
  size_t offset = 0;
};

// The first string of `bytes`, a message of type `type`, that is not UTF-8.
std::optional<BadText> find_bad_text(const pb::Descriptor& type, const std::string& bytes,
                                     const std::string& path, int depth) {
  pb::UnknownFieldSet fields;  // a message of no type: parses without looking into strings
  if (depth > kMaxNesting || !fields.ParseFromString(bytes)) return {};
  for (int i = 0; i < fields.field_count(); ++i) {
    const pb::UnknownField& value = fields.field(i);
    const pb::FieldDescriptor* field = type.FindFieldByNumber(value.number());
    if (!field || value.type() != pb::UnknownField::TYPE_LENGTH_DELIMITED) continue;
    const std::string name = path.empty() ? field->name() : path + "." + field->name();
    if (field->type() == pb::FieldDescriptor::TYPE_STRING) {
      if (const auto offset = find_invalid_utf8(value.length_delimited()))
        return BadText{name, *offset};
    } else if (field->type() == pb::FieldDescriptor::TYPE_MESSAGE) {
      auto found = find_bad_text(*field->message_type(), value.length_delimited(), name, depth + 1);
      if (found) return found;
    }
  }
  return {};
}

const char* reason_of(Code code, bool generated) {
  switch (code) {
    case Code::kInvalidArgument:
      return "PARAM_OUT_OF_RANGE";
    case Code::kOutOfRange:
      return "CONTEXT_EXCEEDED";
    case Code::kResourceExhausted:
      return "QUEUE_FULL";
    case Code::kAlreadyExists:
      return "REQUEST_ID_IN_USE";
    case Code::kUnavailable:
      return "DRAINING";
    case Code::kCancelled:
      return "CLIENT_CANCELLED";
    case Code::kDeadlineExceeded:
      return generated ? "GENERATION_TIMEOUT" : "QUEUE_TIMEOUT";
    case Code::kUnimplemented:
    case Code::kFailedPrecondition:
      return "FEATURE_DISABLED";
    default:
      return "ENGINE_FAULT";
  }
}

}  // namespace

std::string serialize_details(const ApiError& error) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(error.code));
  status.set_message(error.message);

  google::rpc::ErrorInfo info;
  info.set_reason(error.reason);
  info.set_domain("tern.dev");
  info.mutable_metadata()->insert(error.metadata.begin(), error.metadata.end());
  status.add_details()->PackFrom(info);

  if (!error.field.empty() && error.model.empty()) {  // a missing model is no malformed request
    google::rpc::BadRequest bad;
    auto* violation = bad.add_field_violations();
    violation->set_field(error.field);
    violation->set_description(error.message);
    status.add_details()->PackFrom(bad);
  }
  if (!error.model.empty()) {
    google::rpc::ResourceInfo resource;
    resource.set_resource_type("model");
    resource.set_resource_name(error.model);
    resource.set_description(error.message);
    status.add_details()->PackFrom(resource);
  }
  if (error.reason == "FEATURE_DISABLED") {
    google::rpc::PreconditionFailure failure;
    auto* violation = failure.add_violations();
    violation->set_type("FEATURE");
    violation->set_subject(error.field);
    violation->set_description(error.message);
    status.add_details()->PackFrom(failure);
  }
  if (error.retry_after) {
    google::rpc::RetryInfo retry;
    const double seconds = error.retry_after->count();
    retry.mutable_retry_delay()->set_seconds(static_cast<int64_t>(seconds));
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>((seconds - std::floor(seconds)) * 1e9));
    status.add_details()->PackFrom(retry);
  }
  return status.SerializeAsString();
}

ApiError bad_field(std::string field, std::string why) {
  ApiError error{.code = Code::kInvalidArgument, .reason = "PARAM_OUT_OF_RANGE"};
  error.message = field + ": " + why;
  error.field = std::move(field);
  return error;
}

ApiError engine_error(const Status& status, int32_t num_completion_tokens) {
  ApiError error{.code = status.code(),
                 .reason = reason_of(status.code(), num_completion_tokens > 0),
                 .message = status.message()};
  if (error.code == Code::kUnavailable || error.code == Code::kResourceExhausted)
    error.retry_after = kRetryLater;
  if (const FailureDetail* detail = status.detail()) {
    error.reason = detail->reason;
    error.metadata = detail->metadata;
    if (detail->retry_after) error.retry_after = detail->retry_after;
  }
  if (num_completion_tokens > 0)
    error.metadata["completion_tokens"] = std::to_string(num_completion_tokens);
  return error;
}

std::optional<ApiError> parse_message(const std::string& bytes, pb::Message* message) {
  if (message->ParseFromString(bytes)) return {};
  const pb::Descriptor& type = *message->GetDescriptor();
  if (const auto bad = find_bad_text(type, bytes, "", 0)) {
    ApiError error =
        bad_field(bad->field, "not UTF-8: invalid byte at offset " + std::to_string(bad->offset));
    error.reason = "INVALID_UTF8";
    return error;
  }
  return ApiError{.code = Code::kInvalidArgument,
                  .reason = "MALFORMED_MESSAGE",
                  .message = "the request is not a valid " + type.full_name() + " message"};
}

}  // namespace tern
