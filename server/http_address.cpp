#include "server/http_address.h"

namespace tern {

HttpListen resolve_http_listen(const std::vector<std::string>& setting) {
  if (setting.size() != 1) return {.addresses = setting};
  if (setting[0] == "auto") return {.addresses = {"127.0.0.1:8000"}, .is_default = true};
  if (setting[0].empty() || setting[0] == "off") return {};
  return {.addresses = setting};
}

}  // namespace tern
