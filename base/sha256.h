// SHA-256 of a byte string.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tern {

using Sha256 = std::array<uint8_t, 32>;

/// Any thread.
Sha256 sha256(std::span<const std::byte> bytes);

}  // namespace tern
