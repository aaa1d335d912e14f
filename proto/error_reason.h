// What an error's details say.
#pragma once

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace tern {

/// ErrorInfo.reason of a serialized google.rpc.Status (`grpc-status-details-bin`), or empty.
inline std::string error_reason(const std::string& serialized_details) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  details.ParseFromString(serialized_details);
  for (const auto& detail : details.details())
    if (detail.Is<google::rpc::ErrorInfo>()) detail.UnpackTo(&info);
  return info.reason();
}

}  // namespace tern
