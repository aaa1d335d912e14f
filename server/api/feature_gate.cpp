#include "server/api/feature_gate.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string_view>

#include "tern/v1/inference.pb.h"

namespace tern {
namespace {

namespace pb = google::protobuf;

struct Missing {
  std::string_view path;               // where a step is repeated, all its elements are looked at
  std::optional<double> neutral = {};  // the value of a number, bool or enum that asks for nothing
};

// One row a feature that is not there. Delete the row when the feature comes.
constexpr Missing kMissing[] = {
    {"sampling.stopping.thinking_token_budget"},
    {"sampling.stopping.repetition_detection"},
    {"sampling.constraints.json_schema"},
    {"sampling.constraints.json_object", 0},
    {"sampling.constraints.regex"},
    {"sampling.constraints.ebnf"},
    {"sampling.constraints.choice"},
    {"sampling.constraints.structural_tag"},
    {"scheduling.expected_output_tokens"},
    {"scheduling.slo"},
    {"cache.scope", v1::CACHE_SCOPE_TENANT},
    {"adapter"},
    {"diffusion"},
};

double value_of(const pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.GetFloat(message, &field);
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field);
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return reflection.GetEnumValue(message, &field);
    default:
      return reflection.GetUInt32(message, &field);
  }
}

// Is the field at `path` below `message` set to something that asks for the feature?
bool asks_for(const pb::Message& message, std::string_view path, const Missing& row) {
  const size_t dot = path.find('.');
  const std::string name(path.substr(0, dot));
  const pb::FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  TERN_CHECK(field, row.path);
  const pb::Reflection& reflection = *message.GetReflection();
  const bool last = dot == std::string_view::npos;
  if (field->is_repeated()) {
    const int size = reflection.FieldSize(message, field);
    if (last) return size > 0;
    for (int i = 0; i < size; ++i)
      if (asks_for(reflection.GetRepeatedMessage(message, field, i), path.substr(dot + 1), row))
        return true;
    return false;
  }
  if (!reflection.HasField(message, field)) return false;
  if (!last) return asks_for(reflection.GetMessage(message, field), path.substr(dot + 1), row);
  return !row.neutral || value_of(message, *field) != *row.neutral;
}

}  // namespace

std::optional<ApiError> check_features(const v1::GenerateRequest& request) {
  for (const Missing& row : kMissing) {
    if (!asks_for(request, row.path, row)) continue;
    const std::string field(row.path);
    return ApiError{.code = Code::kUnimplemented,
                    .reason = "FEATURE_DISABLED",
                    .message = field + ": this server does not have this feature",
                    .field = field};
  }
  return {};
}

}  // namespace tern
