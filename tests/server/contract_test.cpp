// tern.v1 never breaks: proto/tern/v1/contract.txt holds every message, field, enum value and RPC
// that clients may rely on. A line that is gone or changed is a breaking change; a new one is
// recorded by running this test with TERN_RECORD_CONTRACT=1.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "tern/v1/admin.pb.h"
#include "tern/v1/control.pb.h"
#include "tern/v1/inference.pb.h"
#include "tern/v1/tune.pb.h"
#include "tests/support/source_dir.h"

namespace pb = google::protobuf;

namespace {

using Lines = std::set<std::string>;

std::string type_of(const pb::FieldDescriptor& field) {
  if (field.is_map())
    return "map<" + type_of(*field.message_type()->map_key()) + ", " +
           type_of(*field.message_type()->map_value()) + ">";
  std::string type = field.type_name();
  if (field.message_type()) type = field.message_type()->full_name();
  if (field.enum_type()) type = field.enum_type()->full_name();
  if (field.is_repeated()) return "repeated " + type;
  return field.has_optional_keyword() ? "optional " + type : type;
}

void list(const pb::EnumDescriptor& type, Lines& lines) {
  for (int i = 0; i < type.value_count(); ++i)
    lines.insert("enum " + type.full_name() + " " + type.value(i)->name() + " = " +
                 std::to_string(type.value(i)->number()));
}

void list(const pb::Descriptor& type, Lines& lines) {
  lines.insert("message " + type.full_name());
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    const pb::OneofDescriptor* oneof = field.real_containing_oneof();
    lines.insert("field " + type.full_name() + " " + field.name() + " = " +
                 std::to_string(field.number()) + " " + type_of(field) +
                 (oneof ? " in " + oneof->name() : ""));
  }
  for (int i = 0; i < type.reserved_range_count(); ++i)
    lines.insert("reserved " + type.full_name() + " " +
                 std::to_string(type.reserved_range(i)->start) + " to " +
                 std::to_string(type.reserved_range(i)->end - 1));
  for (int i = 0; i < type.enum_type_count(); ++i) list(*type.enum_type(i), lines);
  for (int i = 0; i < type.nested_type_count(); ++i)
    if (!type.nested_type(i)->options().map_entry()) list(*type.nested_type(i), lines);
}

void list(const pb::FileDescriptor& file, Lines& lines) {
  for (int i = 0; i < file.message_type_count(); ++i) list(*file.message_type(i), lines);
  for (int i = 0; i < file.enum_type_count(); ++i) list(*file.enum_type(i), lines);
  for (int s = 0; s < file.service_count(); ++s)
    for (int i = 0; i < file.service(s)->method_count(); ++i) {
      const pb::MethodDescriptor& method = *file.service(s)->method(i);
      lines.insert("rpc " + method.full_name() + "(" +
                   (method.client_streaming() ? "stream " : "") + method.input_type()->full_name() +
                   ") returns (" + (method.server_streaming() ? "stream " : "") +
                   method.output_type()->full_name() + ")");
    }
}

Lines contract() {
  Lines lines;
  for (const pb::FileDescriptor* file :
       {tern::v1::GenerateRequest::descriptor()->file(), tern::v1::ServerInfo::descriptor()->file(),
        tern::v1::DrainRequest::descriptor()->file(), tern::v1::Job::descriptor()->file()})
    list(*file, lines);
  return lines;
}

std::string joined(const Lines& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

Lines without(const Lines& from, const Lines& what) {
  Lines out;
  for (const std::string& line : from)
    if (!what.contains(line)) out.insert(line);
  return out;
}

}  // namespace

TEST_CASE("tern.v1 is what clients were promised", "[contract]") {
  const std::string path = tern::source_path("proto/tern/v1/contract.txt");
  const Lines now = contract();
  if (std::getenv("TERN_RECORD_CONTRACT")) std::ofstream(path) << joined(now);
  Lines promised;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) promised.insert(line);
  REQUIRE(promised.size() > 300);
  INFO("broken promises:\n" << joined(without(promised, now)));
  CHECK(without(promised, now).empty());
  INFO("new, not recorded yet (see the top of this test):\n" << joined(without(now, promised)));
  CHECK(without(now, promised).empty());
}

TEST_CASE("a changed number, type or place breaks the contract", "[contract]") {
  const Lines now = contract();
  CHECK(now.contains("field tern.v1.GenerateRequest request_id = 1 string"));
  CHECK(now.contains("field tern.v1.GenerateRequest text = 3 string in input"));
  CHECK(now.contains("field tern.v1.RandomSampling top_p = 3 optional float"));
  CHECK(now.contains("field tern.v1.Penalties logit_bias = 4 map<uint32, float>"));
  CHECK(now.contains("enum tern.v1.FinishReason FINISH_REASON_LENGTH = 4"));
  CHECK(
      now.contains("rpc tern.v1.Inference.Generate(tern.v1.GenerateRequest) returns (stream "
                   "tern.v1.GenerateEvent)"));
}
