#include "server/feature_gate.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string_view>

#include "tern/v1/inference.pb.h"

namespace tern {
namespace {

namespace pb = google::protobuf;

struct Missing {
  std::string_view message;            // type that `path` starts from
  std::string_view path;               // where a step is repeated, all its elements are looked at
  std::optional<double> neutral = {};  // the value of a number, bool or enum that asks for nothing
};

constexpr std::string_view kGenerate = "GenerateRequest";
constexpr std::string_view kChat = "ChatInput";

// One row a feature that is not there. Delete the row when the feature comes.
constexpr Missing kMissing[] = {
    {kGenerate, "sampling.n", 1},
    {kGenerate, "sampling.penalties.presence_penalty", 0},
    {kGenerate, "sampling.penalties.frequency_penalty", 0},
    {kGenerate, "sampling.penalties.repetition_penalty", 1},
    {kGenerate, "sampling.penalties.logit_bias"},
    {kGenerate, "sampling.stopping.min_tokens", 0},
    {kGenerate, "sampling.stopping.thinking_token_budget"},
    {kGenerate, "sampling.stopping.repetition_detection"},
    {kGenerate, "sampling.constraints.json_schema"},
    {kGenerate, "sampling.constraints.json_object", 0},
    {kGenerate, "sampling.constraints.regex"},
    {kGenerate, "sampling.constraints.ebnf"},
    {kGenerate, "sampling.constraints.choice"},
    {kGenerate, "sampling.constraints.structural_tag"},
    {kGenerate, "sampling.constraints.allowed_token_ids"},
    {kGenerate, "sampling.constraints.bad_words"},
    {kGenerate, "response.logprobs"},
    {kGenerate, "response.prompt_logprobs"},
    {kGenerate, "response.logprob_token_ids"},
    {kGenerate, "response.spaces_between_special_tokens", 1},
    {kGenerate, "scheduling.expected_output_tokens"},
    {kGenerate, "scheduling.slo"},
    {kGenerate, "cache.scope", v1::CACHE_SCOPE_TENANT},
    {kGenerate, "adapter"},
    {kGenerate, "diffusion"},
    {kGenerate, "truncate_prompt_tokens"},
    {kChat, "messages.tool_calls"},
    {kChat, "messages.tool_call_id"},
    {kChat, "tools"},
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

std::optional<ApiError> check_features(const pb::Message& request) {
  const std::string& type = request.GetDescriptor()->name();
  for (const Missing& row : kMissing) {
    if (row.message != type || !asks_for(request, row.path, row)) continue;
    const std::string field = (row.message == kChat ? "chat." : "") + std::string(row.path);
    return ApiError{.code = Code::kUnimplemented,
                    .reason = "FEATURE_DISABLED",
                    .message = field + ": this server does not have this feature",
                    .field = field};
  }
  return {};
}

}  // namespace tern
