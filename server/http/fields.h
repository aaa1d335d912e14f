// Reads the members of a JSON object: types, ranges, and no member that nobody knows.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/api/api_error.h"
#include "server/http/json.h"

namespace tern::http {

/// `body` as an object. MALFORMED_JSON naming the byte where it is no JSON.
std::optional<ApiError> parse_body(const std::string& body, Json* out);

/// FEATURE_DISABLED: a field of OpenAI's that asks for what this server lacks.
ApiError unsupported(std::string field, const std::string& why);

/// The full names of members that nobody asked for, where these are passed over.
using IgnoredFields = std::vector<std::string>;

/// `names` as the value of a header, whatever a client has put into them: printable ASCII, names of
/// at most 64 bytes, separated by ", "; after 1,000 bytes the number of those that are left out.
std::string to_header(const IgnoredFields& names);

/// Members are read one by one; a null is as good as no member. The first mistake is kept, what
/// comes after it is not read, finish() tells it. Setters are called with the value where there is
/// one.
class Fields {
 public:
  /// The members of a body. Those that nobody asks for are noted in `ignored`; where that is null
  /// they are mistakes. Both must outlive this.
  explicit Fields(const Json& body, IgnoredFields* ignored = nullptr);

  /// The members of an object inside that of `parent`, with its way to take unknown ones. `path`
  /// stands in front of the names in errors ("messages[0]").
  Fields(const Json& object, std::string path, const Fields& parent);

  /// Null where the member is not there, or null.
  const Json* find(const char* name);

  bool has(const char* name) { return find(name) != nullptr; }

  std::optional<bool> boolean(const char* name);
  std::optional<float> number(const char* name);
  /// However it is written: 4, 4.0 and 4e0 are the same.
  std::optional<int64_t> integer(const char* name,
                                 int64_t low = std::numeric_limits<int64_t>::min(),
                                 int64_t high = std::numeric_limits<int64_t>::max());
  std::optional<std::string> string(const char* name);
  /// An array of strings, or one string. Nulls in the array are passed over, here and in ids().
  std::vector<std::string> strings(const char* name);
  std::vector<uint32_t> ids(const char* name);

  /// Members that change nothing here, whatever they hold.
  void ignore(std::initializer_list<const char*> names);

  /// FEATURE_DISABLED unless the member is missing, null or, but for nulls inside it, one of
  /// `neutral`.
  void only(const char* name, const std::vector<Json>& neutral, const char* why);

  void fail(const std::string& name, const std::string& why);
  void fail(ApiError error);

  bool ok() const { return !error_; }
  std::string full_name(const std::string& name) const { return path_ + name; }

  /// The first mistake; else the first member that was not asked for, if that is one.
  std::optional<ApiError> finish();

 private:
  Fields(const Json& object, std::string path, IgnoredFields* ignored);
  void wrong_type(const std::string& name, const char* wanted, const Json& value);

  const Json& object_;
  const std::string path_;  // with the dot
  IgnoredFields* const ignored_;
  std::set<std::string> known_;
  std::optional<ApiError> error_;
};

/// `value` as a token id; nothing where it is none.
std::optional<uint32_t> to_id(const Json& value);

}  // namespace tern::http
