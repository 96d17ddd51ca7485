#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/image_url.hpp"
#include "fleet/service/roster.hpp"

namespace fleet {

/// Where the path of a member's status port begins under which it has the images of its rings.
inline constexpr const char* kRingPages = "/ring/";

/// Who may have the image of a ring beside the fleet's service.
struct ImageSource {
  std::string name;  ///< for people: a member's id, or the URL's host
  bool is_member = true;
  config::Endpoint server;
  std::string target;  ///< of a request
  bool operator==(const ImageSource&) const = default;
};

/// A member's pages; nullopt: other hosts can't reach them.
std::optional<config::Endpoint> pages_of(const Entry& entry);

/// The other members, in an order of `own` id's: not all members begin with the same one. Those
/// that can't be reached are left out, since they have no HTTP port or serve it on their host
/// alone. Then the URL, where there is one.
std::vector<ImageSource> image_sources(const Roster& roster, const std::string& own,
                                       const std::optional<config::ImageUrl>& url,
                                       const std::string& digest);

}  // namespace fleet
