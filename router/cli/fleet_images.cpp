#include "router/cli/fleet_images.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "fleet/service/image_nodes.hpp"
#include "fleet/sources/http_get.hpp"
#include "fleet/sources/ring_search.hpp"
#include "ring/generation_store.hpp"
#include "router/cli/commands.hpp"
#include "router/cli/fleet_show.hpp"
#include "router/control/ring_files.hpp"

namespace router::cli {
namespace {

// A router that is asked reads the ring of its disk, and makes its image.
constexpr std::chrono::seconds kImageMade{60};

std::vector<fleet::ImageSource> sources_of(const FleetSurroundings& fleet,
                                           const std::string& digest, bool with_members) {
  fleet::Roster roster;
  if (with_members)
    for (const auto& [id, member] : fleet.view.members) roster[id] = member.entry;
  return fleet::image_sources(roster, "", fleet.settings.image_url, digest);
}

fleet::RingFound search(const FleetSurroundings& fleet, std::vector<fleet::ImageSource> sources,
                        const std::string& digest) {
  return fleet::search_ring(fleet.loop, std::move(sources), digest, fleet.geometry);
}

/// All are asked at once.
std::vector<std::string> members_with(const FleetSurroundings& fleet, const std::string& digest) {
  std::vector<std::string> with;
  std::size_t missing = 0;
  for (const fleet::ImageSource& source : sources_of(fleet, digest, true)) {
    if (!source.is_member) continue;
    ++missing;
    fleet::HttpBounds bounds;
    bounds.whole = kImageMade;
    // Who is busy says nothing of what it has, and is asked by members in its turn.
    fleet::http_get(fleet.loop, source.server, source.target, true, bounds,
                    [&, name = source.name](const fleet::HttpAnswer& answer) {
                      if (answer.kind == fleet::HttpAnswer::Kind::whole) with.push_back(name);
                      --missing;
                    });
  }
  fleet.loop.restart();
  while (missing > 0) fleet.loop.run_one();
  std::sort(with.begin(), with.end());
  return with;
}

}  // namespace

std::shared_ptr<const ring::Ring> ring_in_force(const FleetSurroundings& fleet) {
  const std::string& digest = fleet.view.state.ring.digest;
  if (ring::GenerationStore::is_store(fleet.config.ring_location)) {
    const ring::GenerationStore store(fleet.config.ring_location, load_in_child().load);
    if (const auto there = store.newest(digest)) return store.load(*there).ring;
  }
  fleet::RingFound found = search(fleet, sources_of(fleet, digest, true), digest);
  if (found.ring == nullptr) throw std::runtime_error("ring " + digest + ": " + found.why);
  return found.ring;
}

bool put_edit(fleet::Operator& service, const fleet::Edit& edit, const ring::Ring& next,
              std::size_t bytes) {
  fleet::Image image;
  try {
    image = fleet::image_of(edit, next);
  } catch (const std::invalid_argument&) {
    return false;
  }
  if (image.bytes.size() > fleet::kImageNodesBytesMost) return false;
  service.put(image);
  std::fprintf(stderr,
               "the ring's image has %zu bytes, more than fleet.imageBytesMax, and does not go "
               "through ZooKeeper: routers make it of the ring in force, by an edit of %zu bytes\n",
               bytes, image.bytes.size());
  return true;
}

RingOffer::RingOffer(const FleetSurroundings& fleet, const ring::Ring& now, const ring::Ring& next,
                     std::size_t bytes) {
  const std::string large =
      "the ring's image has " + std::to_string(bytes) + " bytes, more than fleet.imageBytesMax (" +
      std::to_string(fleet.config.fleet.image_bytes_max) + "), and does not go through ZooKeeper";
  look(fleet, next.digest());
  if (members_.empty() && !url_) {
    stage(fleet, now, next);
    members_ = members_with(fleet, next.digest());
  }
  if (members_.empty() && !url_) {
    drop();
    throw std::runtime_error("nothing is changed: " + large + "; no router of the fleet has it, " +
                             elsewhere_);
  }
  std::string from = members_.empty() ? "" : listed(members_, ", ");
  if (url_) from += (from.empty() ? "" : ", and from ") + fleet.config.fleet.image_url;
  std::fprintf(stderr, "%s: routers that lack it get it from %s\n", large.c_str(), from.c_str());
}

RingOffer::~RingOffer() { drop(); }

/// The URL is taken at its word only if it has the ring itself, by its digest. One that answers
/// nothing here may answer the routers.
void RingOffer::look(const FleetSurroundings& fleet, const std::string& digest) {
  members_ = members_with(fleet, digest);
  if (!fleet.settings.image_url) {
    elsewhere_ = "fleet.imageUrl is not set";
    return;
  }
  const fleet::RingFound found = search(fleet, sources_of(fleet, digest, false), digest);
  url_ = found.ring != nullptr || found.failed || found.busy;
  if (found.ring == nullptr) elsewhere_ = "fleet.imageUrl does not either (" + found.why + ")";
  if (found.ring == nullptr && url_)
    std::fprintf(stderr, "not known whether fleet.imageUrl has the ring: %s\n", found.why.c_str());
}

/// Its number is the one that the change will give it. Where another change takes that, the ring is
/// known by its digest, and this one is dropped.
void RingOffer::stage(const FleetSurroundings& fleet, const ring::Ring& now,
                      const ring::Ring& next) {
  const std::string& location = fleet.config.ring_location;
  const auto not_here = [&](const std::string& why) {
    elsewhere_ += ", and " + why +
                  "; run this on the host of a router that is in step, with its configuration";
  };
  if (!ring::GenerationStore::is_store(location))
    return not_here("this host has no store of rings at " + location);
  ring::GenerationStore store(location, load_in_child().load);
  if (store.current().digest != now.digest())
    return not_here("the store " + location + " has another ring in force");
  const auto staged = stage_numbered(store, now, next, fleet.view.state.highest + 1).generation;
  location_ = location;
  number_ = staged.number;
  digest_ = staged.digest;
  not_here("no router serves the store " + location);
}

void RingOffer::drop() try {
  if (location_.empty()) return;
  ring::GenerationStore store(std::exchange(location_, {}));
  const auto there = store.find(number_, digest_);
  if (there && !there->current) store.drop(*there);
} catch (const std::exception& error) {
  std::fprintf(stderr, "a ring that was staged stays in the store: %s\n", error.what());
}

}  // namespace router::cli
