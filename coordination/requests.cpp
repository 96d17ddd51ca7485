#include "coordination/requests.hpp"

#include <algorithm>

#include <utility>

namespace coordination {
namespace {

const std::string& path_of(const Write& write) {
  return std::visit([](const auto& each) -> const std::string& { return each.path; }, write);
}

std::size_t bytes_of(const Write& write) {
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.value; }) return each.value.size();
        return std::size_t{0};
      },
      write);
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::done: return "done";
    case Outcome::no_node: return "no node";
    case Outcome::exists: return "exists";
    case Outcome::version_differs: return "version differs";
    case Outcome::has_children: return "has children";
    case Outcome::denied: return "denied";
    case Outcome::refused: return "refused";
    case Outcome::unknown: return "unknown";
  }
  return "";
}

bool well_formed(std::string_view path) {
  const auto is_control = [](char each) {
    return static_cast<unsigned char>(each) < ' ' || each == '\x7f';
  };
  if (path.size() < 2 || path.front() != '/' || std::any_of(path.begin(), path.end(), is_control))
    return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    path.remove_prefix(part.size());
  }
  return true;
}

std::string refusal(const std::vector<Write>& transaction) {
  if (transaction.empty()) return "a transaction of no requests";
  std::size_t total = 0;
  for (const Write& write : transaction) {
    const std::string& path = path_of(write);
    if (!well_formed(path)) return "no path: '" + path + "'";
    const std::size_t bytes = bytes_of(write);
    if (bytes > kNodeBytesMost)
      return path + ": " + std::to_string(bytes) + " bytes; a node holds " +
             std::to_string(kNodeBytesMost) + " at most";
    total += path.size() + bytes;
  }
  if (total > kTransactionBytesMost)
    return "a transaction of " + std::to_string(total) + " bytes; " +
           std::to_string(kTransactionBytesMost) + " are the most";
  return "";
}

}  // namespace coordination
