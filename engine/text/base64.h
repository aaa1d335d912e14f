// Base64, as tokenizer files hold binary parts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tern {

/// The bytes that `text` (RFC 4648, padded) stands for; nothing where it is malformed.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace tern
