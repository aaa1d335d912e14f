// Devices of plug-ins: found, opened, entered.
#include <dlfcn.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/registry.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

struct OpenDevice {
  std::string name;
  DeviceMemory* memory;
};

/// By Device. A deque: names that were given out stay where they are.
std::deque<OpenDevice>& open_devices() {
  static std::deque<OpenDevice> devices{{"cpu", &host_memory()}};
  return devices;
}

std::vector<fs::path> plugin_folders() {
  std::vector<fs::path> folders;
  if (const char* named = std::getenv("TERN_PLUGINS"); named != nullptr && *named != '\0')
    folders.emplace_back(named);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (!error) {
    folders.push_back(program);
    folders.push_back(program.parent_path() / "lib" / "tern");
  }
  return folders;
}

Result<const DevicePlugin*> load_plugin(const std::string& name) {
  const std::string file = "libtern_" + name + ".so";
  std::string looked;
  for (const fs::path& folder : plugin_folders()) {
    const fs::path path = folder / file;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      looked += (looked.empty() ? "" : ", ") + folder.string();
      continue;
    }
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    const char* why = library == nullptr ? dlerror() : nullptr;
    using Entry = const DevicePlugin* (*)();
    const auto entry = library == nullptr
                           ? nullptr
                           : reinterpret_cast<Entry>(dlsym(library, "tern_device_plugin"));
    if (entry == nullptr)
      return Status(Code::kFailedPrecondition,
                    "device: " + path.string() + " cannot be loaded: " +
                        (why != nullptr ? why : "it has no tern_device_plugin"));
    const DevicePlugin* plugin = entry();
    if (plugin->abi != kDevicePluginAbi)
      return Status(Code::kFailedPrecondition, "device: " + path.string() + " is of plug-in ABI " +
                                                   std::to_string(plugin->abi) +
                                                   ", this program of " +
                                                   std::to_string(kDevicePluginAbi));
    if (plugin->unavailable != nullptr)
      return Status(Code::kFailedPrecondition,
                    "device: " + name + " is not available: " + plugin->unavailable);
    return plugin;
  }
  return Status(Code::kNotFound, "device: there is no plug-in for '" + name + "': " + file +
                                     " is not in " + looked + " (TERN_PLUGINS names a folder)");
}

bool is_name(std::string_view name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

}  // namespace

Result<Device> open_device(std::string_view name) {
  std::deque<OpenDevice>& devices = open_devices();
  for (size_t i = 0; i < devices.size(); ++i)
    if (devices[i].name == name) return Device(i);
  const size_t colon = name.find(':');
  const std::string kind(name.substr(0, colon));
  const std::string_view number = colon == name.npos ? "0" : name.substr(colon + 1);
  if (!is_name(kind) || number.empty() || number.size() > 3 ||
      number.find_first_not_of("0123456789") != number.npos)
    return invalid_argument(
        "device: must be cpu, or the name of a plug-in and a number as cuda:1, is '" +
        std::string(name) + "'");
  TERN_ASSIGN(const DevicePlugin* plugin, load_plugin(kind));
  TERN_ASSIGN(DeviceMemory * memory, plugin->open(std::atoi(std::string(number).c_str())));
  const auto device = Device(devices.size());
  plugin->add_kernels(open_kernels(), device);
  devices.push_back({std::string(name), memory});
  return device;
}

std::string_view device_name(Device device) {
  return open_devices()[size_t(device)].name;
}

DeviceMemory& device_memory(Device device) {
  return *open_devices()[size_t(device)].memory;
}

}  // namespace tern
