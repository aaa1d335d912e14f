// Typed, checked reading of a config's keys.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace tern {

/// Reads members of one JSON object; the first failure is kept and the rest become no-ops, so that
/// a parser reads as a list of keys. Absent and null members leave `out` as it is, unless required.
class ConfigReader {
 public:
  /// `where` begins every message: the file, or file and key. The object must outlive the reader.
  ConfigReader(const nlohmann::json& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  template <class Int>
  void integer(const char* key, Int& out, int64_t low, int64_t high, bool required = true) {
    const nlohmann::json* v = member(key, required);
    if (v == nullptr) return;
    const bool fits = v->is_number_integer() &&
                      !(v->is_number_unsigned() && v->get<uint64_t>() > uint64_t(INT64_MAX));
    if (!fits || v->get<int64_t>() < low || v->get<int64_t>() > high)
      return fail(key, "must be an integer from " + std::to_string(low) + " to " +
                           std::to_string(high) + ", is " + v->dump());
    out = static_cast<Int>(v->get<int64_t>());
  }

  template <class Float>
  void number(const char* key, Float& out, double low, double high, bool required = false) {
    const nlohmann::json* v = member(key, required);
    if (v == nullptr) return;
    // HF writes infinities and NaN nowhere here; nlohmann refuses them in JSON.
    if (!v->is_number() || v->get<double>() < low || v->get<double>() > high)
      return fail(key, "must be a number from " + nlohmann::json(low).dump() + " to " +
                           nlohmann::json(high).dump() + ", is " + v->dump());
    out = static_cast<Float>(v->get<double>());
  }

  void number(const char* key, std::optional<double>& out, double low, double high) {
    if (member(key, false) == nullptr) return;
    double value = 0;
    number(key, value, low, high);
    out = value;
  }

  /// An array of numbers.
  void numbers(const char* key, std::vector<double>& out, double low, double high,
               bool required = false) {
    const nlohmann::json* list = member(key, required);
    if (list == nullptr) return;
    if (!list->is_array()) return fail(key, "must be an array, is " + list->dump());
    out.clear();
    for (const nlohmann::json& v : *list) {
      if (!v.is_number() || v.get<double>() < low || v.get<double>() > high)
        return fail(key, "must hold numbers from " + nlohmann::json(low).dump() + " to " +
                             nlohmann::json(high).dump() + ", holds " + v.dump());
      out.push_back(v.get<double>());
    }
  }

  void boolean(const char* key, bool& out) {
    const nlohmann::json* v = member(key, false);
    if (v == nullptr) return;
    if (!v->is_boolean()) return fail(key, "must be true or false, is " + v->dump());
    out = v->get<bool>();
  }

  void string(const char* key, std::string& out, bool required = false) {
    const nlohmann::json* v = member(key, required);
    if (v == nullptr) return;
    if (!v->is_string()) return fail(key, "must be a string, is " + v->dump());
    out = v->get<std::string>();
  }

  /// The member, or null where it is absent or null.
  const nlohmann::json* member(const char* key, bool required) {
    if (!status_.ok()) return nullptr;
    const auto it = object_.find(key);
    if (it != object_.end() && !it->is_null()) return &*it;
    if (required) fail(key, "is missing");
    return nullptr;
  }

  void fail(const std::string& key, const std::string& why, Code code = Code::kInvalidArgument) {
    if (status_.ok()) status_ = Status(code, where_ + ": " + key + ": " + why);
  }

  const Status& status() const { return status_; }

 private:
  const nlohmann::json& object_;
  std::string where_;
  Status status_;
};

}  // namespace tern
