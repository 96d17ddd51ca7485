#include "fleet/service/paths.hpp"

#include <stdexcept>

#include "coordination/requests.hpp"

namespace fleet {

Paths::Paths(const std::string& fleet) : root_("/moray-router/" + fleet) {
  if (fleet.find('/') != std::string::npos || !coordination::well_formed(root_))
    throw std::invalid_argument("\"" + fleet + "\" can't be a fleet's name");
}

}  // namespace fleet
