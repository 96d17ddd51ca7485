#include "fleet/sources/image_sources.hpp"

#include <map>
#include <utility>

#include "fleet/images/packed.hpp"

namespace fleet {
namespace {

bool is_loopback(const std::string& host) {
  return host.starts_with("127.") || host == "::1" || host == "localhost";
}

}  // namespace

std::optional<config::Endpoint> pages_of(const Entry& entry) {
  if (entry.http_port == 0) return std::nullopt;
  const std::string host = entry.address.substr(0, entry.address.rfind(':'));
  const std::string& http = entry.http_host.empty() ? host : entry.http_host;
  if (http.empty() || (is_loopback(http) && !is_loopback(host))) return std::nullopt;
  return config::Endpoint{http, entry.http_port};
}

std::vector<ImageSource> image_sources(const Roster& roster, const std::string& own,
                                       const std::optional<config::ImageUrl>& url,
                                       const std::string& digest) {
  std::map<std::string, ImageSource> by_hash;
  for (const auto& [id, entry] : roster) {
    const auto server = pages_of(entry);
    if (id == own || !server) continue;
    by_hash[sha256_of(own + "\n" + id)] = {id, true, *server, kRingPages + digest};
  }
  std::vector<ImageSource> sources;
  for (auto& [hash, source] : by_hash) sources.push_back(std::move(source));
  if (url) sources.push_back({url->server.host, false, url->server, url->target_of(digest)});
  return sources;
}

}  // namespace fleet
