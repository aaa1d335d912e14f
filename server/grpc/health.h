// grpc.health.v1.Health: "" and "tern.v1.Inference", SERVING only while requests are taken.
#pragma once

#include <memory>

namespace grpc {
class Service;
}

namespace tern {

/// Starts as NOT_SERVING. Any thread.
class Health {
 public:
  Health();
  ~Health();

  /// Tells every watcher.
  void set_serving(bool serving);

  /// Ends every Watch: a server cannot shut down before they have ended.
  void shutdown();

  /// Valid as long as this object.
  grpc::Service* service();

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

}  // namespace tern
