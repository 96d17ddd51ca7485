#include "config/config.hpp"

#include <charconv>
#include <fstream>
#include <sstream>

#include "config/reader.hpp"
#include "json/nesting.hpp"

namespace config {

std::string_view to_string(Backend backend) {
  switch (backend) {
    case Backend::moray: return "moray";
    case Backend::postgres: return "postgres";
    case Backend::embedded: return "embedded";
  }
  return "";
}

bool Shard::same_shard(const Shard& other) const {
  Shard copy = other;
  copy.read_only = read_only;
  return *this == copy;
}

Parsed parse(const std::string& text) {
  Parsed parsed;
  if (json::nested_too_deep(text)) {
    parsed.problems.push_back({"(the whole file)", "is nested too deep"});
    return parsed;
  }
  try {
    const auto root = nlohmann::json::parse(text);
    return root.is_object() && root.contains("ringCfg") ? parse_electric_moray(root)
                                                        : parse_own(root);
  } catch (const nlohmann::json::exception& error) {
    parsed.problems.push_back({"(the whole file)", std::string("is not JSON: ") + error.what()});
  }
  return parsed;
}

Parsed load_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (in) return parse(text.str());
  Parsed parsed;
  parsed.problems.push_back({path, "cannot be read"});
  return parsed;
}

void apply_overrides(Config& config) {
  const Overrides& over = config.overrides;
  if (!over.ring_location.empty()) config.ring_location = over.ring_location;
  if (!over.admin_socket.empty()) config.admin_socket = over.admin_socket;
  if (!over.log_level.empty()) config.log.level = over.log_level;
  if (over.port != 0) config.listen.port = over.port;
  if (over.monitor_port != 0) config.monitor.port = over.monitor_port;
  if (over.status_port != 0) config.status.port = over.status_port;
}

std::string to_text(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) text += problem.path + ": " + problem.message + "\n";
  return text;
}

std::optional<Endpoint> parse_address(const std::string& text, std::uint16_t default_port) {
  Endpoint endpoint;
  endpoint.port = default_port;
  std::size_t host_end = text.find(':');
  if (!text.empty() && text.front() == '[') {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string::npos) return std::nullopt;
    endpoint.host = text.substr(1, bracket - 1);
    host_end = bracket + 1 == text.size() ? std::string::npos : bracket + 1;
    if (host_end != std::string::npos && text[host_end] != ':') return std::nullopt;
  } else if (host_end != std::string::npos && text.find(':', host_end + 1) != std::string::npos) {
    endpoint.host = text;  // an IPv6 address alone
    host_end = std::string::npos;
  } else {
    endpoint.host = text.substr(0, host_end);
  }
  if (endpoint.host.empty()) return std::nullopt;
  if (host_end == std::string::npos) return endpoint;
  const char* begin = text.data() + host_end + 1;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(begin, end, endpoint.port);
  if (error != std::errc{} || stopped != end || endpoint.port == 0) return std::nullopt;
  return endpoint;
}

std::optional<Endpoint> parse_pnode_url(const std::string& pnode) {
  constexpr std::string_view kScheme = "tcp://";
  if (!pnode.starts_with(kScheme)) return std::nullopt;
  return parse_address(pnode.substr(kScheme.size()), 2020);
}

}  // namespace config
