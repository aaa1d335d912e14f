#include "engine/load/resolve_model.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <vector>

namespace tern {
namespace {

namespace fs = std::filesystem;

bool is_gguf(const fs::path& path) {
  return path.extension() == ".gguf";
}

/// The one GGUF file of a directory without config.json, or the path as it is.
Result<std::string> gguf_in_directory(const std::string& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored) || fs::exists(directory + "/config.json", ignored))
    return directory;
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored))
    if (is_gguf(entry.path())) files.push_back(entry.path().string());
  if (files.size() > 1)
    return invalid_argument(directory + ": holds " + std::to_string(files.size()) +
                            " GGUF files and no config.json: name one of them");
  return files.empty() ? directory : files.front();
}

/// What is wrong with naming one file of a model's directory; the files of other formats are read.
Status check_no_part(const std::string& path) {
  constexpr std::string_view kParts[] = {".safetensors", ".json", ".bin", ".model", ".pt", ".pth"};
  const fs::path file = path;
  std::error_code ignored;
  if (std::ranges::find(kParts, file.extension().string()) == std::end(kParts)) return {};
  if (!fs::is_regular_file(file, ignored)) return {};
  const fs::path directory = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (fs::exists(directory / "config.json", ignored))
    return invalid_argument(path + ": is one file of a model: name its directory, " +
                            directory.string());
  return invalid_argument(path +
                          ": is one file, and there is no config.json beside it: name a model's "
                          "directory or a GGUF file");
}

/// The folder beside the bundled models that holds rankers.
constexpr const char* kRankers = "rankers";

/// A place where bundled models stand.
struct Root {
  std::string what;  ///< for messages
  fs::path path;     ///< empty: not said
};

std::vector<Root> roots() {
  std::vector<Root> all;
  const char* models = std::getenv("TERN_MODELS");
  const bool is_set = models != nullptr && *models != '\0';
  all.push_back({is_set ? "$TERN_MODELS = " + std::string(models) : "$TERN_MODELS (not set)",
                 is_set ? models : ""});
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const auto add = [&](const fs::path& path) {
    const fs::path place = path.lexically_normal();
    all.push_back({place.string(), place});
  };
  add(program / "../share/tern/models");  // installed
  add(program / "../models");             // a build folder in the source tree
  add(program / "../../models");
  add("./models");
  return all;
}

/// The bundled model `name` of a place, or an empty path.
fs::path find_in(const fs::path& root, const std::string& name) {
  std::error_code ignored;
  if (root.empty()) return {};
  if (fs::is_directory(root / name, ignored)) return root / name;
  const fs::path file = root / (name + ".gguf");
  return fs::is_regular_file(file, ignored) ? file : fs::path();
}

/// Whether a folder among the models is one: rankers lie beside them.
bool holds_model(const fs::path& directory) {
  std::error_code ignored;
  if (fs::exists(directory / "config.json", ignored)) return true;
  const fs::directory_iterator files(directory, ignored);
  return std::any_of(begin(files), end(files),
                     [](const fs::directory_entry& file) { return is_gguf(file.path()); });
}

/// The models of all places, and the places: "looked in A and B; there are: x, y".
std::string what_there_is() {
  std::set<std::string> names;
  std::string places;
  for (const Root& root : roots()) {
    places += (places.empty() ? "" : ", ") + root.what;
    if (root.path.empty()) continue;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(root.path, ignored)) {
      if (entry.is_directory(ignored) && holds_model(entry.path()))
        names.insert(entry.path().filename().string());
      if (is_gguf(entry.path())) names.insert(entry.path().stem().string());
    }
  }
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  return "looked for a bundled model of that name in " + places +
         (known.empty() ? ": there is none at all" : ": there are " + known);
}

/// "https://…", "hf://…", "s3://…".
bool is_url(const std::string& text) {
  const size_t end = text.find("://");
  return end != text.npos && end > 0 &&
         std::all_of(text.begin(), text.begin() + long(end), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '-' || c == '.';
         });
}

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("-_.").find(c) != std::string_view::npos;
  });
}

/// "meta-llama/Llama-3.2-1B": two words of the characters that names on the Hub are made of. Other
/// programs write more around them, which is left out: "hf.co/a/b", "hf:a/b", "a/b:Q4_0",
/// "a/b@main", "a/b/". Empty where it is no such name.
std::string hub_name(std::string_view text) {
  if (text.starts_with("hf:")) text.remove_prefix(3);
  for (const std::string_view host : {"hf.co/", "huggingface.co/", "www.huggingface.co/"})
    if (text.starts_with(host)) text.remove_prefix(host.size());
  if (text.empty() || text[0] == '.' || text[0] == '~') return {};
  const size_t end = text.find_first_of(":@");
  if (end != text.npos && !is_name(text.substr(end + 1))) return {};
  text = text.substr(0, end);
  if (text.ends_with('/')) text.remove_suffix(1);
  const size_t slash = text.find('/');
  if (slash == text.npos || text.ends_with(".gguf")) return {};
  const bool fits = is_name(text.substr(0, slash)) && is_name(text.substr(slash + 1));
  return fits ? std::string(text) : std::string();
}

/// "llama3:8b": a name and a tag, as Ollama's library has them.
bool is_tagged_name(std::string_view text) {
  const size_t colon = text.find(':');
  return colon != text.npos && is_name(text.substr(0, colon)) && is_name(text.substr(colon + 1));
}

Status not_found(const std::string& text) {
  const std::string none = "no model at " + text + ": ";
  if (is_url(text))
    return Status(Code::kNotFound, none +
                                       "that is an address, and tern reads local files: download "
                                       "the model and give the path of its directory or GGUF file");
  if (const std::string name = hub_name(text); !name.empty())
    return Status(Code::kNotFound,
                  none +
                      "there is no such path; if it is a model's name on the Hugging Face Hub, "
                      "download it ('hf download " +
                      name + " --local-dir DIR') and give the local path");
  if (is_tagged_name(text))
    return Status(Code::kNotFound,
                  none +
                      "there is no such path; if it is a model's name in a library of the network, "
                      "download it and give the path of its directory or GGUF file; tern " +
                      what_there_is());
  if (text.starts_with("~/") || text == "~")
    return Status(Code::kNotFound, none +
                                       "the ~ of a shell is not expanded here: write the path of "
                                       "the home directory");
  if (text.find('/') != text.npos)
    return Status(Code::kNotFound, none + "there is no such file or directory");
  return Status(Code::kNotFound, none + "there is no such path; " + what_there_is());
}

}  // namespace

namespace {

/// The path of "file:///models/a%20b" and "file://localhost/models/a"; other text as it is.
std::string without_file_scheme(const std::string& text) {
  constexpr std::string_view kScheme = "file://", kHost = "localhost";
  if (!text.starts_with(kScheme)) return text;
  std::string_view rest = std::string_view(text).substr(kScheme.size());
  if (rest.starts_with(kHost)) rest.remove_prefix(kHost.size());
  if (!rest.starts_with('/')) return text;  // a file of another machine
  std::string path;
  for (size_t i = 0; i < rest.size(); ++i) {
    const bool is_escape = rest[i] == '%' && i + 2 < rest.size() &&
                           std::isxdigit(static_cast<unsigned char>(rest[i + 1])) &&
                           std::isxdigit(static_cast<unsigned char>(rest[i + 2]));
    path += is_escape ? char(std::stoi(std::string(rest.substr(i + 1, 2)), nullptr, 16)) : rest[i];
    if (is_escape) i += 2;
  }
  return path;
}

}  // namespace

Result<std::string> resolve_model(const std::string& given) {
  const std::string name_or_path = without_file_scheme(given);
  if (name_or_path.empty()) return invalid_argument("model: must be a directory or a bundled name");
  std::error_code ignored;
  TERN_TRY(check_no_part(name_or_path));
  if (fs::exists(name_or_path, ignored)) return gguf_in_directory(name_or_path);
  if (name_or_path.find('/') != name_or_path.npos) return not_found(name_or_path);
  for (const Root& root : roots())
    if (const fs::path found = find_in(root.path, name_or_path); !found.empty())
      return gguf_in_directory(found.string());
  return not_found(name_or_path);
}

Result<std::string> resolve_ranker(const std::string& name_or_path) {
  std::error_code ignored;
  if (!is_name(name_or_path) || fs::is_regular_file(name_or_path, ignored)) return name_or_path;
  std::string places;
  for (const Root& root : roots()) {
    places += (places.empty() ? "" : ", ") + root.what;
    const fs::path file = root.path / kRankers / (name_or_path + ".safetensors");
    if (!root.path.empty() && fs::is_regular_file(file, ignored)) return file.string();
  }
  return Status(Code::kNotFound, name_or_path +
                                     ": no such file, and no ranker of that name below " + places +
                                     " (rankers/" + name_or_path + ".safetensors)");
}

}  // namespace tern
