// Any OpenAI-compatible server, over HTTP/1.1.
#pragma once

#include <memory>

#include "bench/serve/http_parser.h"
#include "bench/serve/openai.h"
#include "bench/serve/transport.h"

namespace tern::bench {

struct HttpTransportOptions {
  HttpUrl url;
  OpenAiEndpoint endpoint = OpenAiEndpoint::kCompletions;
  std::string model;  ///< empty: the first of /v1/models
  RequestSettings settings;
};

/// One thread reads all streams. No resources are taken before connect().
std::unique_ptr<Transport> make_http_transport(const HttpTransportOptions& options);

}  // namespace tern::bench
