// What tools like grpcurl ask, by both names of the protocol.
#include <google/protobuf/descriptor.pb.h>

#include <catch2/catch.hpp>
#include <set>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/server/wire.h"

using namespace tern;

namespace {

// Each request of one call, and its answer.
template <class Rpc, class Request, class Response>
std::vector<Response> ask(Wire& wire, const std::vector<Request>& requests) {
  const auto stub = Rpc::NewStub(wire.channel);
  grpc::ClientContext context;
  const auto call = stub->ServerReflectionInfo(&context);
  std::vector<Response> responses;
  for (const Request& request : requests) {
    REQUIRE(call->Write(request));
    REQUIRE(call->Read(&responses.emplace_back()));
  }
  call->WritesDone();
  CHECK(call->Finish().ok());
  return responses;
}

template <class Rpc, class Request, class Response>
void check_reflection() {
  Wire wire;
  std::vector<Request> requests(7);
  requests[0].set_list_services("");
  requests[1].set_file_containing_symbol("tern.v1.Inference");
  requests[2].set_file_by_filename("tern/v1/control.proto");
  requests[3].set_file_containing_symbol("tern.v1.GenerateRequest.prompt");
  requests[4].set_file_containing_symbol("no.such.Symbol");
  requests[5].set_all_extension_numbers_of_type("google.protobuf.MessageOptions");
  const auto responses = ask<Rpc, Request, Response>(wire, requests);

  std::set<std::string> services;
  for (const auto& service : responses[0].list_services_response().service())
    services.insert(service.name());
  CHECK(services == std::set<std::string>{"tern.v1.Inference", "tern.v1.Control",
                                          "grpc.health.v1.Health",
                                          "grpc.reflection.v1.ServerReflection",
                                          "grpc.reflection.v1alpha.ServerReflection"});
  for (const int with_file : {1, 2}) {
    google::protobuf::DescriptorPool pool;  // the files that come are all that a client needs
    google::protobuf::FileDescriptorProto file;
    const auto& files = responses[with_file].file_descriptor_response().file_descriptor_proto();
    for (int i = files.size() - 1; i >= 0; --i) {
      REQUIRE(file.ParseFromString(files[i]));
      CHECK(pool.BuildFile(file));
    }
    CHECK(pool.FindServiceByName(with_file == 1 ? "tern.v1.Inference" : "tern.v1.Control"));
  }
  CHECK(responses[3].original_request().file_containing_symbol() ==
        "tern.v1.GenerateRequest.prompt");
  CHECK(responses[4].error_response().error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(responses[5].all_extension_numbers_response().base_type_name() ==
        "google.protobuf.MessageOptions");
  CHECK(responses[6].error_response().error_code() == grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace

TEST_CASE("grpc.reflection.v1 tells of the services and their messages", "[wire]") {
  using namespace grpc::reflection::v1;
  check_reflection<ServerReflection, ServerReflectionRequest, ServerReflectionResponse>();
}

TEST_CASE("and so does v1alpha, for older clients", "[wire]") {
  using namespace grpc::reflection::v1alpha;
  check_reflection<ServerReflection, ServerReflectionRequest, ServerReflectionResponse>();
}
