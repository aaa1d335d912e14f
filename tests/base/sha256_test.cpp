#include "base/sha256.h"

#include <catch2/catch.hpp>
#include <string>

using namespace tern;

TEST_CASE("SHA-256 gives the published known answers", "[base][sha256]") {
  const auto hex = [](const std::string& text) {
    return to_hex(sha256(std::as_bytes(std::span(text))));
  };
  CHECK(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
