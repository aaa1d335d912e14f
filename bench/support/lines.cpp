#include "bench/support/lines.h"

#include <nlohmann/json.hpp>

namespace tern::bench {

Status for_each_line(std::string_view text, const std::string& source,
                     const std::function<Status(std::string_view)>& read_line) {
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    TERN_TRY(read_line(line).with_context(source + ":" + std::to_string(number)));
  }
  return {};
}

Result<nlohmann::json> parse_object(std::string_view line) {
  nlohmann::json value = nlohmann::json::parse(line, nullptr, false);
  if (value.is_discarded()) return invalid_argument("is not JSON");
  if (!value.is_object()) return invalid_argument("must be a JSON object");
  return value;
}

Result<int64_t> whole_number(const nlohmann::json& object, const char* key, int64_t least,
                             int64_t most) {
  const auto found = object.find(key);
  if (found == object.end()) return invalid_argument(std::string("has no '") + key + "'");
  const double value = found->is_number() ? found->get<double>() : 0.5;
  if (value != double(int64_t(value)) || value < double(least) || value > double(most))
    return invalid_argument(std::string(key) + " must be a whole number in [" +
                            std::to_string(least) + ", " + std::to_string(most) + "], is " +
                            found->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return int64_t(value);
}

}  // namespace tern::bench
