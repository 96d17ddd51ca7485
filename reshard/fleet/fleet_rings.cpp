// Where a plan has its fleet's ring from, and how members get the next one.
#include <stdexcept>
#include <utility>

#include "fleet/images/edit.hpp"
#include "fleet/sources/ring_search.hpp"
#include "reshard/database.hpp"
#include "reshard/fleet/asked.hpp"
#include "reshard/fleet/fleet_routers.hpp"

namespace reshard {

/// Null: the service has none that is of use here, and `why` says it.
std::shared_ptr<const ring::Ring> FleetRouters::in_service(const std::string& digest,
                                                           const fleet::Geometry& geometry,
                                                           std::string& why) {
  std::optional<fleet::Image> image;
  asked([&](fleet::Operator& service) {
    try {
      image = service.image(digest);
    } catch (const fleet::OperatorError& error) {
      why = error.what();
    }
  });
  if (!image) return nullptr;
  const auto base = fleet::base_of(image->bytes);
  if (base && (ring_ == nullptr || ring_->digest() != *base)) {
    why = "the service has an edit of ring " + *base;
    return nullptr;
  }
  try {
    return fleet::ring_of(*image, base ? ring_.get() : nullptr, geometry);
  } catch (const std::invalid_argument& error) {
    why = error.what();
    return nullptr;
  }
}

/// As members find it: in the service, from each other, at the URL. Throws Waiting where nobody has
/// it.
std::shared_ptr<const ring::Ring> FleetRouters::in_force(const fleet::FleetView& view) {
  const std::string& digest = view.state.ring.digest;
  if (ring_ != nullptr && ring_->digest() == digest) return ring_;
  const auto geometry = asked([](fleet::Operator& service) { return service.geometry(); });
  std::string why;
  auto ring = in_service(digest, geometry, why);
  if (ring == nullptr) {
    fleet::Roster roster;
    for (const auto& [id, member] : view.members)
      if (member.problem.empty()) roster[id] = member.entry;
    fleet::RingFound found = fleet::search_ring(
        loop_, fleet::image_sources(roster, "", image_url_, digest), digest, geometry);
    if (found.ring == nullptr) throw Waiting(named() + ": " + why + "; " + found.why);
    ring = std::move(found.ring);
  }
  ring_ = std::move(ring);
  return ring_;
}

/// So that members have it: whole, or, where it is too large for the service, as the edit that
/// makes it of the ring in force, which they have.
void FleetRouters::put(const ring::Ring& base, const ring::Ring& next) {
  fleet::Image image = fleet::image_of(next);
  if (image.bytes.size() > plan_.fleet->image_bytes_max)
    image = fleet::image_of(
        {base.digest(), plan_.vnodes, fleet::Edit::Gives::pnode, plan_.to.pnode}, next);
  asked([&](fleet::Operator& service) { service.put(image); });
}

}  // namespace reshard
