#pragma once

#include <string>

#include "config/config.hpp"

namespace config {

/// A page of a server's.
struct HttpUrl {
  Endpoint server;
  std::string target;  ///< of a request
  bool operator==(const HttpUrl&) const = default;
};

/// `http://HOST[:PORT][/…]`. Throws std::invalid_argument, naming what is wrong.
HttpUrl http_url_from(const std::string& text);

/// Where a site keeps images of rings by their digest, for a fleet's members that find them nowhere
/// else. `target` has `{digest}` in it.
struct ImageUrl : HttpUrl {
  /// With the digest in its place.
  [[nodiscard]] std::string target_of(const std::string& digest) const;
  bool operator==(const ImageUrl&) const = default;
};

/// `http://HOST[:PORT]/…{digest}…`. Throws std::invalid_argument, naming what is wrong.
ImageUrl image_url_from(const std::string& text);

}  // namespace config
