// Addresses to listen on: HOST:PORT, [IPV6]:PORT or unix:PATH.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace tern {

/// kInvalidArgument where `address` is no address, however the system stands.
Status check_address_form(const std::string& address);

/// kInvalidArgument where `address` is no address; kUnavailable where it is a unix socket that a
/// living process serves (gRPC would silently take its place), or its path that of something else.
Status check_listen_address(const std::string& address);

/// What would keep a socket from being made at the unix address: as check_listen_address(), and
/// kUnavailable where its folder is not there or cannot be written to.
Status check_socket_folder(const std::string& address);

/// An address, and the key of the configuration that names it.
struct NamedAddress {
  std::string key, address;
};

/// kUnavailable where the last of `named` is an address that another of them is, too (other than
/// port 0): the later listener would find it taken, or a unix socket take the earlier one's place.
Status check_named_once(const std::vector<NamedAddress>& named);

/// Why binding to `address` fails, asked of the operating system. kUnavailable.
Status cannot_listen(const std::string& address);

/// As others reach it: a unix socket's path from the root, whatever folder they are in.
std::string absolute_address(const std::string& address);

/// `address` with `port` in place of its port; unix sockets as they are.
std::string with_port(const std::string& address, int port);

}  // namespace tern
