// One call to a server's admin address.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/support/client.h"
#include "cli/support/output.h"

namespace tern {

/// `call(Client&, Message*)` returns its end; `print(const Message&)` is for people. The exit code.
template <class Message, class Call, class Print>
int ask_admin(AdminOptions options, Call&& call, Print&& print) {
  if (const CallStatus end = find_admin(options.server, &options.admin); !end.ok())
    return end.exit_code();
  Client client(AdminAddress{options.admin});
  Message result;
  if (const CallStatus end = call(client, &result); !end.ok()) return end.exit_code();
  if (options.json)
    print_json(to_json(result));
  else
    print(result);
  return kExitDone;
}

}  // namespace tern
