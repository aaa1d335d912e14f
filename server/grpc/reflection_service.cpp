// grpc.reflection: tools list the services and read their messages. One protocol by two names:
// newer clients ask for v1, older ones for v1alpha, in the same bytes.
#include <google/protobuf/descriptor.h>

#include <memory>
#include <set>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/grpc/services.h"
#include "server/grpc/wire.h"

namespace tern {
namespace {

namespace pb = google::protobuf;
namespace reflection = grpc::reflection::v1;
namespace older = grpc::reflection::v1alpha;

using Request = reflection::ServerReflectionRequest;
using Response = reflection::ServerReflectionResponse;
using Names = std::vector<std::string>;

void set_error(grpc::StatusCode code, const std::string& message, Response* out) {
  out->mutable_error_response()->set_error_code(code);
  out->mutable_error_response()->set_error_message(message);
}

// The file, and all that it imports, each once.
void add_files(const pb::FileDescriptor& file, std::set<std::string>* added,
               reflection::FileDescriptorResponse* out) {
  if (!added->insert(file.name()).second) return;
  pb::FileDescriptorProto proto;
  file.CopyTo(&proto);
  out->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) add_files(*file.dependency(i), added, out);
}

void set_file(const pb::FileDescriptor* file, const std::string& wanted, Response* out) {
  if (!file) return set_error(grpc::StatusCode::NOT_FOUND, "not found: " + wanted, out);
  std::set<std::string> added;
  add_files(*file, &added, out->mutable_file_descriptor_response());
}

const pb::FileDescriptor* find_extension(const reflection::ExtensionRequest& request) {
  const pb::DescriptorPool& pool = *pb::DescriptorPool::generated_pool();
  const pb::Descriptor* type = pool.FindMessageTypeByName(request.containing_type());
  if (!type) return nullptr;
  const pb::FieldDescriptor* found = pool.FindExtensionByNumber(type, request.extension_number());
  return found ? found->file() : nullptr;
}

void set_extensions(const std::string& name, Response* out) {
  const pb::DescriptorPool& pool = *pb::DescriptorPool::generated_pool();
  const pb::Descriptor* type = pool.FindMessageTypeByName(name);
  if (!type) return set_error(grpc::StatusCode::NOT_FOUND, "not found: " + name, out);
  std::vector<const pb::FieldDescriptor*> extensions;
  pool.FindAllExtensions(type, &extensions);
  auto& numbers = *out->mutable_all_extension_numbers_response();
  numbers.set_base_type_name(name);
  for (const pb::FieldDescriptor* extension : extensions)
    numbers.add_extension_number(extension->number());
}

Response answer(const Request& request, const Names& services) {
  const pb::DescriptorPool& pool = *pb::DescriptorPool::generated_pool();
  Response out;
  out.set_valid_host(request.host());
  *out.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      set_file(pool.FindFileByName(request.file_by_filename()), request.file_by_filename(), &out);
      break;
    case Request::kFileContainingSymbol:
      set_file(pool.FindFileContainingSymbol(request.file_containing_symbol()),
               request.file_containing_symbol(), &out);
      break;
    case Request::kFileContainingExtension:
      set_file(find_extension(request.file_containing_extension()),
               request.file_containing_extension().containing_type(), &out);
      break;
    case Request::kAllExtensionNumbersOfType:
      set_extensions(request.all_extension_numbers_of_type(), &out);
      break;
    case Request::kListServices:
      out.mutable_list_services_response();
      for (const std::string& name : services)
        out.mutable_list_services_response()->add_service()->set_name(name);
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      set_error(grpc::StatusCode::INVALID_ARGUMENT, "the request asks for nothing", &out);
  }
  return out;
}

// One call: an answer to each question. Owns itself until gRPC is done with it; one thing is under
// way at a time.
class Stream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Stream(const Names& services) : services_(services) { StartRead(&in_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);  // the client asks nothing more
    Request request;
    if (const auto error = parse_buffer(in_, &request)) return Finish(to_grpc(*error));
    out_ = to_buffer(answer(request, services_));
    StartWrite(&out_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&in_);
  }

  void OnDone() override { delete this; }

 private:
  const Names& services_;
  grpc::ByteBuffer in_, out_;
};

template <class Rpc>
class ReflectionService final
    : public Rpc::template WithRawCallbackMethod_ServerReflectionInfo<typename Rpc::Service> {
 public:
  explicit ReflectionService(Names services) : services_(std::move(services)) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ServerReflectionInfo(
      grpc::CallbackServerContext*) override {
    return new Stream(services_);
  }

 private:
  const Names services_;
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> make_reflection_services(Names services) {
  services.push_back(reflection::ServerReflection::service_full_name());
  services.push_back(older::ServerReflection::service_full_name());
  std::vector<std::unique_ptr<grpc::Service>> out;
  out.push_back(std::make_unique<ReflectionService<reflection::ServerReflection>>(services));
  out.push_back(std::make_unique<ReflectionService<older::ServerReflection>>(services));
  return out;
}

}  // namespace tern
