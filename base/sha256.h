// SHA-256 of a byte string.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tern {

using Sha256 = std::array<uint8_t, 32>;

/// Any thread.
Sha256 sha256(std::span<const std::byte> bytes);

/// 64 digits, small letters.
std::string to_hex(const Sha256& hash);

}  // namespace tern
