#include "config/image_url.hpp"

#include <algorithm>
#include <stdexcept>

namespace config {
namespace {

constexpr std::string_view kScheme = "http://", kSecure = "https://", kDigest = "{digest}";
constexpr std::uint16_t kPort = 80;
constexpr std::size_t kUrlMost = 2048;

/// What a line of a request may have in it.
bool is_plain(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char byte) { return byte > 0x20 && byte < 0x7f && byte != '#'; });
}

}  // namespace

std::string ImageUrl::target_of(const std::string& digest) const {
  std::string whole = target;
  for (std::size_t at = 0; (at = whole.find(kDigest, at)) != std::string::npos; at += digest.size())
    whole.replace(at, kDigest.size(), digest);
  return whole;
}

HttpUrl http_url_from(const std::string& text) {
  if (text.starts_with(kSecure))
    throw std::invalid_argument("must begin with http://: this program has no https");
  if (!text.starts_with(kScheme))
    throw std::invalid_argument("must begin with http://, not \"" + text + "\"");
  if (text.size() > kUrlMost || !is_plain(text))
    throw std::invalid_argument("takes printable ASCII without spaces and \"#\", at most " +
                                std::to_string(kUrlMost) + " bytes");
  const std::size_t slash = std::min(text.find('/', kScheme.size()), text.size());
  const std::string host = text.substr(kScheme.size(), slash - kScheme.size());
  const auto server = parse_address(host, kPort);
  if (!server || host.find('@') != std::string::npos)
    throw std::invalid_argument("names no host, or a port that is none, or a user: \"" + host +
                                "\"");
  return {*server, slash == text.size() ? "/" : text.substr(slash)};
}

ImageUrl image_url_from(const std::string& text) {
  const ImageUrl url{http_url_from(text)};
  if (url.target.find(kDigest) == std::string::npos)
    throw std::invalid_argument("must have {digest} in its path, in whose place a ring's comes");
  return url;
}

}  // namespace config
