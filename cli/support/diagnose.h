// Why no tern server answers at an address: gRPC itself says no more than that it failed.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/status.h"

namespace tern {

/// What is wrong with an address as a person writes it (HOST:PORT, unix:PATH), or empty: an URL, no
/// port, a port that is no number.
std::string find_address_mistake(const std::string& address);

/// Resolves and connects by hand, and looks at who answers: a name that nobody knows, a refused
/// connection, a missing socket or one that may not be opened, HTTP/1.1, TLS, another protocol.
/// Empty where a peer speaks HTTP/2, so that the trouble is above. Waits `patience` at most for
/// each connection and each answer.
std::string why_unreachable(const std::string& address, Seconds patience);

/// kUnavailable for people: the address, why, and what says where a server is ("--admin").
Status unreachable_server(const std::string& address, const std::string& why,
                          const std::string& what_says_where = "--server or TERN_SERVER");

}  // namespace tern
