#include "ring/key_transform.hpp"

namespace ring {
namespace {

constexpr std::string_view kUuidShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
constexpr std::string_view kRootEnd = "/stor";

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

/// `/<lower-case uuid>/stor`, from the first byte to the last.
bool is_storage_root(std::string_view key) {
  if (key.size() != 1 + kUuidShape.size() + kRootEnd.size()) return false;
  if (key.front() != '/' || !key.ends_with(kRootEnd)) return false;
  for (std::size_t i = 0; i < kUuidShape.size(); ++i)
    if (kUuidShape[i] == '-' ? key[i + 1] != '-' : !is_lower_hex(key[i + 1])) return false;
  return true;
}

/// Node's POSIX dirname, as a part of `path`; empty stands for "." here.
std::string_view directory_of(std::string_view path) {
  if (path.empty()) return {};
  const bool absolute = path.front() == '/';
  const std::string_view root = absolute ? path.substr(0, 1) : std::string_view{};

  std::size_t end = path.size();
  while (end > 1 && path[end - 1] == '/') --end;
  if (end <= 1) return root;
  const std::size_t slash = path.substr(0, end).rfind('/');
  if (slash == std::string_view::npos || slash < 1) return root;
  if (slash == 1 && absolute) return path.substr(0, 2);  // "//", as in the original
  return path.substr(0, slash);
}

std::string_view directory_or_key(std::string_view key) {
  if (is_storage_root(key)) return key;
  const std::string_view directory = directory_of(key);
  return directory.empty() || directory == "." ? key : directory;
}

}  // namespace

std::string_view transform_key(std::string_view bucket, std::string_view key) {
  if (bucket == "manta" || bucket == "testmanta") return directory_or_key(key);
  if (bucket == "manta_uploads") {
    const std::size_t colon = key.find(':');
    return colon == std::string_view::npos ? key : directory_or_key(key.substr(colon + 1));
  }
  return key;
}

}  // namespace ring
