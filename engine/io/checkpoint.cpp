#include "engine/io/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/io/json_parse.h"
#include "engine/io/lenient_json.h"

namespace tern {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr size_t kMaxJsonBytes = size_t(256) << 20;
constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// A path that cannot leave the directory it is joined to.
bool is_inside(const std::string& relative) {
  const fs::path path(relative);
  return !relative.empty() && !path.is_absolute() && relative.find('\0') == std::string::npos &&
         std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

/// The index's "weight_map": tensor name -> shard's file name.
Result<std::map<std::string, std::string>> read_index(const std::string& path) {
  TERN_ASSIGN(const json index, read_json_file(path));
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (map == index.end() || !map->is_object())
    return invalid_argument(path + ": lacks the object \"weight_map\"");
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, file] : map->items()) {
    const std::string where = path + ": weight_map: tensor " + in_quotes(tensor);
    if (!file.is_string()) return invalid_argument(where + ": the shard's name is not a string");
    const auto& name = file.get_ref<const std::string&>();
    if (!is_inside(name))
      return invalid_argument(where + ": shard " + in_quotes(name) +
                              " is not inside the directory");
    shards[tensor] = name;
  }
  if (shards.empty()) return invalid_argument(path + ": weight_map is empty");
  return shards;
}

std::string shape_text(const int64_t* shape, size_t rank) {
  std::string text = "[";
  for (size_t i = 0; i < rank; ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace

Result<json> read_json_file(const std::string& path) {
  TERN_ASSIGN(const std::string text, read_text_file(path, kMaxJsonBytes));
  return parse_lenient_json(text, path);
}

Result<Checkpoint> Checkpoint::open(const std::string& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) {
    const bool is_something = fs::exists(directory, ignored);
    return Status(is_something ? Code::kInvalidArgument : Code::kNotFound,
                  directory + (is_something ? ": is not a directory" : ": no such directory"));
  }
  Checkpoint checkpoint;
  checkpoint.directory_ = directory;
  if (exists(directory + "/" + kSingleFile)) {
    TERN_TRY(checkpoint.add_file(directory + "/" + kSingleFile));
  } else if (exists(directory + "/" + kIndexFile)) {
    TERN_TRY(checkpoint.add_shards(directory + "/" + kIndexFile));
  } else {
    return Status(Code::kNotFound,
                  directory + ": holds neither " + kSingleFile + " nor " + kIndexFile);
  }
  return checkpoint;
}

Status Checkpoint::add_file(const std::string& path) {
  TERN_ASSIGN(SafetensorsFile file, SafetensorsFile::open(path));
  // Moving the file keeps its views: they stand in the nodes of a map.
  files_.push_back(std::move(file));
  for (const auto& [name, view] : files_.back().tensors()) {
    if (tensors_.emplace(name, &view).second) continue;
    const auto first = std::find_if(
        files_.begin(), files_.end(),
        [&, n = std::string_view(name)](const SafetensorsFile& f) { return f.find(n) != nullptr; });
    return invalid_argument("tensor " + in_quotes(name) + " is in both " + first->path() + " and " +
                            path);
  }
  return {};
}

Status Checkpoint::add_shards(const std::string& index_path) {
  TERN_ASSIGN(const auto shards, read_index(index_path));
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shards) names.insert(shard);
  std::map<std::string, size_t> file_of;
  for (const std::string& name : names) {
    if (Status s = add_file(directory_ + "/" + name); !s.ok()) return s.with_context(index_path);
    file_of[name] = files_.size() - 1;
  }
  for (const auto& [tensor, shard] : shards)
    if (!files_[file_of[shard]].find(tensor))
      return invalid_argument(index_path + ": tensor " + in_quotes(tensor) +
                              " is not in its shard " + in_quotes(shard));
  return {};
}

const TensorView* Checkpoint::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : it->second;
}

const ForeignType* Checkpoint::foreign_type(std::string_view name) const {
  for (const SafetensorsFile& file : files_)
    if (const ForeignType* type = file.foreign_type(name)) return type;
  return nullptr;
}

Result<std::unique_ptr<RowSource>> Checkpoint::get(std::string_view name,
                                                   const std::vector<int64_t>& shape) const {
  const TensorView* view = find(name);
  if (!view) return Status(Code::kNotFound, directory_ + ": has no tensor " + in_quotes(name));
  if (const ForeignType* type = foreign_type(name))
    return invalid_argument(directory_ + ": tensor " + in_quotes(name) + " is " + type->dtype +
                            ", must be f32, bf16 or f16");
  if (!std::equal(shape.begin(), shape.end(), view->shape, view->shape + view->rank))
    return invalid_argument(directory_ + ": tensor " + in_quotes(name) + " has shape " +
                            shape_text(view->shape, size_t(view->rank)) + ", expected " +
                            shape_text(shape.data(), shape.size()));
  if (!is_float(view->dtype))
    return invalid_argument(directory_ + ": tensor " + in_quotes(name) + " is " +
                            std::string(dtype_name(view->dtype)) + ", must be f32, bf16 or f16");
  return make_dense_rows(*view, TensorMemory::kMappedFile);
}

std::vector<TensorInfo> Checkpoint::tensors() const {
  std::vector<TensorInfo> all;
  for (const auto& [name, view] : tensors_) {
    all.push_back({.name = name,
                   .shape = {view->shape, view->shape + view->rank},
                   .dtype = std::string(dtype_name(view->dtype)),
                   .bytes = uint64_t(view->num_elements()) * dtype_bytes(view->dtype)});
    if (const ForeignType* type = foreign_type(name))
      all.back().dtype = type->dtype, all.back().shape = type->shape;
  }
  return all;
}

}  // namespace tern
