#include "server/http/fields.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "base/big_integers.h"

namespace tern::http {
namespace {

constexpr size_t kMaxHeaderName = 64, kMaxHeaderBytes = 1000;

ApiError malformed_json(const std::string& why) {
  return {.code = Code::kInvalidArgument,
          .reason = "MALFORMED_JSON",
          .message = "the body is not JSON: " + why};
}

bool is_whole(const Json& value) {
  return value.is_number_integer() ||
         (value.is_number() && value.get<double>() == std::trunc(value.get<double>()));
}

// `value` is whole. Nothing where int64_t does not hold it.
std::optional<int64_t> to_int64(const Json& value) {
  constexpr double kBound = 9223372036854775808.0;  // 2^63
  if (value.is_number_float()) {
    const double number = value.get<double>();
    return number >= -kBound && number < kBound ? std::optional(int64_t(number)) : std::nullopt;
  }
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t(INT64_MAX)) return {};
  return value.get<int64_t>();
}

Json without_nulls(const Json& value) {
  if (!value.is_structured()) return value;
  Json out = value.is_array() ? Json::array() : Json::object();
  for (const auto& [name, member] : value.items()) {
    if (member.is_null()) continue;
    if (value.is_array())
      out.push_back(without_nulls(member));
    else
      out[name] = without_nulls(member);
  }
  return out;
}

// Numbers that quote_big_integers() has marked become what a parser makes of them: but for those in
// what templates print.
void round_big_integers(Json& value) {
  if (value.is_string()) {
    if (const auto digits = find_big_integer(value.get_ref<const std::string&>()))
      value = std::strtod(std::string(*digits).c_str(), nullptr);
    return;
  }
  constexpr std::string_view kPrinted[] = {"arguments", "parameters", "documents",
                                           "chat_template_kwargs"};
  if (value.is_array())
    for (Json& element : value) round_big_integers(element);
  if (value.is_object())
    for (auto& [name, member] : value.items())
      if (std::find(std::begin(kPrinted), std::end(kPrinted), name) == std::end(kPrinted))
        round_big_integers(member);
}

std::string alternatives(const std::vector<Json>& values) {
  std::string out;
  for (const Json& value : values) out += (out.empty() ? "" : " or ") + dump(value);
  return out;
}

}  // namespace

std::optional<ApiError> parse_body(const std::string& body, Json* out) {
  bool too_deep = false;
  const std::string deep = "nested deeper than " + std::to_string(kMaxJsonDepth);
  try {
    *out = Json::parse(body, limit_depth(&too_deep));
  } catch (const Json::parse_error& error) {
    if (too_deep) return malformed_json(deep);
    // nlohmann: "[json.exception.parse_error.101] parse error at line 1, column 2: why"
    const std::string what = error.what();
    const size_t why = what.find(": ");
    return malformed_json("byte " + std::to_string(error.byte) +
                          (why == std::string::npos ? "" : what.substr(why)));
  } catch (const Json::exception& error) {  // "[json.exception.out_of_range.406] number overflow …"
    const std::string what = error.what();
    return ApiError{.code = Code::kInvalidArgument,
                    .reason = "MALFORMED_JSON",
                    .message = "the body holds a number that a double cannot hold: " +
                               what.substr(std::min(what.find(']') + 2, what.size()))};
  }
  if (too_deep) return malformed_json(deep);
  if (const std::string quoted = quote_big_integers(body); quoted.size() != body.size()) {
    *out = Json::parse(quoted);
    round_big_integers(*out);
  }
  if (!out->is_object())
    return malformed_json("must be an object, is " + std::string(out->type_name()));
  return {};
}

ApiError unsupported(std::string field, const std::string& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "FEATURE_DISABLED",
          .message = field + ": " + why,
          .field = field};
}

std::string to_header(const IgnoredFields& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    std::string name = names[i].substr(0, kMaxHeaderName);
    for (char& c : name)
      if (c <= ' ' || c > '~' || c == ',') c = '?';
    if (out.size() + name.size() > kMaxHeaderBytes)
      return out + ", and " + std::to_string(names.size() - i) + " more";
    out += (i > 0 ? ", " : "") + name;
  }
  return out;
}

Fields::Fields(const Json& body, IgnoredFields* ignored) : Fields(body, "", ignored) {}

Fields::Fields(const Json& object, std::string path, const Fields& parent)
    : Fields(object, std::move(path), parent.ignored_) {}

Fields::Fields(const Json& object, std::string path, IgnoredFields* ignored)
    : object_(object), path_(path.empty() ? "" : std::move(path) + "."), ignored_(ignored) {
  if (!object.is_object())
    fail(bad_field(path_.substr(0, path_.size() - 1),
                   "must be an object, is " + std::string(object.type_name())));
}

const Json* Fields::find(const char* name) {
  const auto found = object_.find(name);
  if (found == object_.end()) return nullptr;
  known_.insert(name);
  return error_ || found->is_null() ? nullptr : &*found;
}

std::optional<bool> Fields::boolean(const char* name) {
  const Json* value = find(name);
  if (!value) return {};
  if (value->is_boolean()) return value->get<bool>();
  wrong_type(name, "true or false", *value);
  return {};
}

std::optional<float> Fields::number(const char* name) {
  const Json* value = find(name);
  if (!value) return {};
  if (!value->is_number()) {
    wrong_type(name, "a number", *value);
    return {};
  }
  const auto number = value->get<double>();
  if (std::abs(number) <= std::numeric_limits<float>::max()) return static_cast<float>(number);
  fail(name, "must be a number that a float can hold, is " + value->dump());
  return {};
}

std::optional<int64_t> Fields::integer(const char* name, int64_t low, int64_t high) {
  const Json* value = find(name);
  if (!value) return {};
  if (!is_whole(*value)) {
    wrong_type(name, "a whole number", *value);
    return {};
  }
  const std::optional<int64_t> number = to_int64(*value);
  if (number && *number >= low && *number <= high) return number;
  fail(name, "must be in [" + std::to_string(low) + ", " + std::to_string(high) + "], is " +
                 value->dump());
  return {};
}

std::optional<std::string> Fields::string(const char* name) {
  const Json* value = find(name);
  if (!value) return {};
  if (value->is_string()) return value->get<std::string>();
  wrong_type(name, "a string", *value);
  return {};
}

std::vector<std::string> Fields::strings(const char* name) {
  const Json* value = find(name);
  if (!value) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array()) {
    wrong_type(name, "a string or an array of strings", *value);
    return {};
  }
  std::vector<std::string> out;
  for (size_t i = 0; i < value->size(); ++i) {
    const Json& item = (*value)[i];
    if (item.is_null()) continue;
    if (!item.is_string()) {
      wrong_type(name + ("[" + std::to_string(i) + "]"), "a string", item);
      return {};
    }
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::vector<uint32_t> Fields::ids(const char* name) {
  const Json* value = find(name);
  if (!value) return {};
  if (!value->is_array()) {
    wrong_type(name, "an array of token ids", *value);
    return {};
  }
  std::vector<uint32_t> out;
  for (size_t i = 0; i < value->size(); ++i) {
    const Json& item = (*value)[i];
    if (item.is_null()) continue;
    const std::optional<uint32_t> id = to_id(item);
    if (!id) {
      wrong_type(name + ("[" + std::to_string(i) + "]"), "a token id", item);
      return {};
    }
    out.push_back(*id);
  }
  return out;
}

void Fields::ignore(std::initializer_list<const char*> names) {
  for (const char* name : names) has(name);
}

void Fields::only(const char* name, const std::vector<Json>& neutral, const char* why) {
  const Json* value = find(name);
  if (!value) return;
  const Json asked = without_nulls(*value);
  if (std::find(neutral.begin(), neutral.end(), asked) != neutral.end()) return;
  fail(unsupported(full_name(name),
                   neutral.empty() ? why : why + (" (may be " + alternatives(neutral) + ")")));
}

void Fields::fail(const std::string& name, const std::string& why) {
  fail(bad_field(full_name(name), why));
}

void Fields::fail(ApiError error) {
  if (!error_) error_ = std::move(error);
}

void Fields::wrong_type(const std::string& name, const char* wanted, const Json& value) {
  constexpr size_t kShown = 40;
  std::string shown = value.is_structured() || value.is_null() ? "" : " " + value.dump();
  if (shown.size() > kShown) shown.clear();
  fail(name, std::string("must be ") + wanted + ", is " + value.type_name() + shown);
}

std::optional<ApiError> Fields::finish() {
  if (error_) return error_;
  for (const auto& [name, value] : object_.items()) {
    if (value.is_null() || known_.count(name)) continue;
    if (ignored_) {
      ignored_->push_back(full_name(name));
      continue;
    }
    ApiError error = bad_field(full_name(name), "no such field here (docs/http-api.md lists them)");
    error.reason = "UNKNOWN_FIELD";
    return error;
  }
  return {};
}

std::optional<uint32_t> to_id(const Json& value) {
  if (!value.is_number() || !is_whole(value)) return {};
  const std::optional<int64_t> id = to_int64(value);
  return id && *id >= 0 && *id <= UINT32_MAX ? std::optional(uint32_t(*id)) : std::nullopt;
}

}  // namespace tern::http
