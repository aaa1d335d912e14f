// A value within a JSON file that knows where it stands, so that every complaint names its place.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern {

/// Does not own the value.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, std::string path)
      : value_(&value), path_(std::move(path)) {}

  const nlohmann::json& value() const { return *value_; }
  const std::string& path() const { return path_; }

  /// The member `key`; nothing where it is absent or null, or this is no object.
  std::optional<JsonNode> find(std::string_view key) const;

  /// Element `index` of an array that has it.
  JsonNode element(size_t index) const {
    return {(*value_)[index], path_ + "[" + std::to_string(index) + "]"};
  }

  /// The value as what it must be; kInvalidArgument naming the path where it is not.
  Result<std::string> string() const;
  Result<bool> boolean() const;
  Result<int64_t> integer() const;
  Status expect_array() const;
  Status expect_object() const;

  /// Members by key. kInvalidArgument where a required one is absent, or one has the wrong type.
  Result<JsonNode> at(std::string_view key) const;
  Result<std::string> string_at(std::string_view key) const;
  Result<bool> boolean_or(std::string_view key, bool otherwise) const;

  /// kInvalidArgument and kUnimplemented: "`path`: `message`".
  Status error(std::string_view message) const;
  Status unknown(std::string_view message) const;

 private:
  const nlohmann::json* value_;
  std::string path_;
};

}  // namespace tern
