#include "server/api/feature_gate.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

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

using FieldPath = std::vector<const pb::FieldDescriptor*>;

FieldPath resolve(std::string_view path) {
  FieldPath out;
  const pb::Descriptor* type = v1::GenerateRequest::descriptor();
  for (std::string_view rest = path; !rest.empty();) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    out.push_back(type->FindFieldByName(std::string(rest.substr(0, dot))));
    TERN_CHECK(out.back(), path);
    type = out.back()->message_type();
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  return out;
}

// Is the field at `path` below `message` set to something that asks for the feature?
bool asks_for(const pb::Message& message, std::span<const pb::FieldDescriptor* const> path,
              const Missing& row) {
  const pb::FieldDescriptor* field = path.front();
  const pb::Reflection& reflection = *message.GetReflection();
  const auto rest = path.subspan(1);
  if (field->is_repeated()) {
    const int size = reflection.FieldSize(message, field);
    if (rest.empty()) return size > 0;
    for (int i = 0; i < size; ++i)
      if (asks_for(reflection.GetRepeatedMessage(message, field, i), rest, row)) return true;
    return false;
  }
  if (!reflection.HasField(message, field)) return false;
  if (!rest.empty()) return asks_for(reflection.GetMessage(message, field), rest, row);
  return !row.neutral || value_of(message, *field) != *row.neutral;
}

}  // namespace

std::optional<ApiError> check_features(const v1::GenerateRequest& request) {
  static const std::vector<FieldPath> paths = [] {  // names are looked up once
    std::vector<FieldPath> out;
    for (const Missing& row : kMissing) out.push_back(resolve(row.path));
    return out;
  }();
  for (size_t i = 0; i < paths.size(); ++i) {
    const Missing& row = kMissing[i];
    if (!asks_for(request, paths[i], row)) continue;
    const std::string field(row.path);
    return ApiError{.code = Code::kUnimplemented,
                    .reason = "FEATURE_DISABLED",
                    .message = field + ": this server does not have this feature",
                    .field = field};
  }
  return {};
}

}  // namespace tern
