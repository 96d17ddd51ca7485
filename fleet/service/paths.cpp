#include "fleet/service/paths.hpp"

#include <algorithm>
#include <stdexcept>

#include "coordination/requests.hpp"

namespace fleet {

Paths::Paths(const std::string& fleet) : root_(parent() + "/" + fleet) {
  if (fleet.find('/') != std::string::npos || !coordination::well_formed(root_))
    throw std::invalid_argument("\"" + fleet + "\" can't be a fleet's name");
}

bool Paths::can_be_id(const std::string& id) {
  return id.find('/') == std::string::npos && coordination::well_formed("/" + id);
}

std::string Paths::step(std::uint64_t seq, const std::string& by) const {
  constexpr std::size_t kDigits = 12;
  const std::string digits = std::to_string(seq);
  return history() + "/" + std::string(kDigits - std::min(kDigits, digits.size()), '0') + digits +
         "-" + by;
}

std::string Paths::what_is_missing(bool has_state, bool has_blocks) const {
  if (!has_state && !has_blocks) return "there is no fleet at " + root_;
  return (has_state ? blocks() : state()) +
         " is missing: somebody has deleted it; `moray-router fleet reinit` writes it anew";
}

}  // namespace fleet
