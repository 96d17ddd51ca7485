#pragma once

#include <string>

#include "config/config.hpp"

namespace config {

/// Where a site keeps images of rings by their digest, for a fleet's members that find them nowhere
/// else.
struct ImageUrl {
  Endpoint server;
  std::string target;  ///< of a request, with `{digest}` in it
  /// With the digest in its place.
  [[nodiscard]] std::string target_of(const std::string& digest) const;
  bool operator==(const ImageUrl&) const = default;
};

/// `http://HOST[:PORT]/…{digest}…`. Throws std::invalid_argument, naming what is wrong.
ImageUrl image_url_from(const std::string& text);

}  // namespace config
