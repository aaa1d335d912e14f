#include "server/http/message.h"

#include <algorithm>

#include "server/api/convert.h"

namespace tern::http {
namespace {

constexpr size_t kMaxIdBytes = 128;

bool may_stand_in_id(char c) {
  return c > ' ' && c <= '~';
}

}  // namespace

bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes &&
         std::all_of(id.begin(), id.end(), may_stand_in_id);
}

std::string trace_id(std::string_view from_client) {
  std::string id(from_client.substr(0, kMaxIdBytes));
  std::replace_if(id.begin(), id.end(), std::not_fn(may_stand_in_id), '_');
  return id.empty() ? uuid_v7() : id;
}

}  // namespace tern::http
