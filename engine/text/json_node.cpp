#include "engine/text/json_node.h"

namespace tern {

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  if (!value_->is_object()) return std::nullopt;
  const auto it = value_->find(key);
  if (it == value_->end() || it->is_null()) return std::nullopt;
  return JsonNode(*it, path_ + "." + std::string(key));
}

Result<std::string> JsonNode::string() const {
  if (!value_->is_string()) return error("is not a string");
  return value_->get<std::string>();
}

Result<bool> JsonNode::boolean() const {
  if (!value_->is_boolean()) return error("is neither true nor false");
  return value_->get<bool>();
}

Result<int64_t> JsonNode::integer() const {
  const bool fits = value_->is_number_integer() && (!value_->is_number_unsigned() ||
                                                    value_->get<uint64_t>() <= uint64_t(INT64_MAX));
  if (!fits) return error("is not an integer of 64 bits");
  return value_->get<int64_t>();
}

Status JsonNode::expect_array() const {
  return value_->is_array() ? Status() : error("is not an array");
}

Status JsonNode::expect_object() const {
  return value_->is_object() ? Status() : error("is not an object");
}

Result<JsonNode> JsonNode::at(std::string_view key) const {
  TERN_TRY(expect_object());
  const auto member = find(key);
  if (!member) return error("lacks \"" + std::string(key) + "\"");
  return *member;
}

Result<std::string> JsonNode::string_at(std::string_view key) const {
  TERN_ASSIGN(const JsonNode member, at(key));
  return member.string();
}

Result<bool> JsonNode::boolean_or(std::string_view key, bool otherwise) const {
  const auto member = find(key);
  return member ? member->boolean() : Result<bool>(otherwise);
}

Status JsonNode::error(std::string_view message) const {
  return invalid_argument(path_ + ": " + std::string(message));
}

Status JsonNode::unknown(std::string_view message) const {
  return {Code::kUnimplemented, path_ + ": " + std::string(message)};
}

}  // namespace tern
