#pragma once

#include <string>

#include "router/member/image_shelf.hpp"
#include "router/pages/http_server.hpp"

namespace router {

/// `GET /ring/<digest>` of a fleet's member: the image of a ring, and `Ring-Digest`; 404, or 503
/// with `Retry-After`, where it is not lent.
HttpPage ring_page(const std::string& digest, ImageShelf::Lent lent);

}  // namespace router
