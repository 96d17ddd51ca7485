#include "router/member/ring_fetch.hpp"

#include <utility>

#include "fleet/images/edit.hpp"
#include "fleet/service/image_nodes.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

// By then chunks that were written anew are there, and members that were restarted.
constexpr int kVainTries = 10;
constexpr const char* kService = "ZooKeeper";
constexpr const char* kEdit = "an edit in ZooKeeper";

}  // namespace

RingFetch::RingFetch(boost::asio::io_context& loop, FleetSettings settings, fleet::MakeRing make,
                     OwnRing own, Log& log)
    : loop_(loop), settings_(std::move(settings)), make_(std::move(make)), own_(std::move(own)),
      log_(log) {}

template <typename Then>
auto RingFetch::guarded(Then then) {
  return [this, then, number = asked_, alive = std::weak_ptr<char>(alive_)](auto&&... what) {
    if (!alive.expired() && number == asked_) then(std::forward<decltype(what)>(what)...);
  };
}

void RingFetch::session(coordination::Session* session) {
  session_ = session;
  if (asks_service_) fail("the session with the service has ended", false);
}

void RingFetch::fetch(const std::string& digest, const fleet::Geometry& geometry, Done done) {
  if (session_ == nullptr) return done({nullptr, "there is no session with the service", false});
  if (digest != std::exchange(digest_, digest)) vain_ = 0;
  geometry_ = geometry;
  waiting_ = std::move(done);
  chunks_refused_ = false;
  asks_service_ = true;
  ++asked_;
  fleet::find_image(*session_, settings_.paths, digest, guarded([this](fleet::ImageOutcome image) {
    asks_service_ = false;
    if (image.outcome == coordination::Outcome::done) return of_chunks(std::move(image.bytes));
    if (image.outcome == coordination::Outcome::no_node) return elsewhere("it has no image of it");
    if (image.outcome != coordination::Outcome::refused)
      return fail("the service does not answer", false);
    refuse(kService, image.why);
    elsewhere(image.why);
  }));
}

void RingFetch::of_chunks(std::string bytes) {
  if (const auto base = fleet::base_of(bytes)) return of_edit(*base, std::move(bytes));
  make(std::move(bytes), nullptr, kService, history_.chunks);
}

/// A router that lacks the base is in no fault, nor is the edit: others have made the ring of it.
void RingFetch::of_edit(const std::string& base, std::string bytes) {
  own_(base, guarded([this, base, bytes = std::move(bytes)](std::shared_ptr<const ring::Ring> ring,
                                                            const std::string& why) {
         if (ring != nullptr) return make(bytes, std::move(ring), kEdit, history_.edits);
         elsewhere("it has an edit of ring " + base + ", which this router lacks (" + why + ")");
       }));
}

void RingFetch::make(std::string bytes, std::shared_ptr<const ring::Ring> base,
                     const std::string& from, std::uint64_t& count) {
  make_(
      {digest_, std::move(bytes)}, std::move(base), geometry_,
      guarded([this, from, &count](std::shared_ptr<const ring::Ring> ring, const std::string& why) {
        if (ring != nullptr) return got(std::move(ring), from, count);
        refuse(kService, why);
        elsewhere(why);
      }));
}

/// `chunks`: what is wrong with those.
void RingFetch::elsewhere(const std::string& chunks) {
  chunks_ = chunks;
  if (session_ == nullptr) return fail("the session with the service has ended", false);
  asks_service_ = true;
  fleet::read_roster(*session_, settings_.paths,
                     guarded([this](coordination::Outcome outcome, const fleet::Roster& roster) {
                       asks_service_ = false;
                       if (outcome != coordination::Outcome::done)
                         return fail("the service does not answer", false);
                       search(roster);
                     }));
}

void RingFetch::search(const fleet::Roster& roster) {
  fleet::search_ring(
      loop_, fleet::image_sources(roster, settings_.id, settings_.image_url, digest_), digest_,
      geometry_, make_, guarded([this](fleet::RingFound found) { searched(std::move(found)); }));
}

/// Wrong bytes stay wrong. Who is busy has it, so that trying again is not in vain.
void RingFetch::searched(fleet::RingFound found) {
  for (const auto& [from, why] : found.refused) refuse(from, why);
  if (found.ring != nullptr)
    return got(std::move(found.ring), found.from,
               found.from_member ? history_.members : history_.url);
  const bool wrong = chunks_refused_ || !found.refused.empty();
  if (!found.busy) ++vain_;
  fail("ring " + digest_ + ": " + kService + ": " + chunks_ + "; " + found.why,
       !found.busy && ((wrong && !found.failed) || vain_ >= kVainTries));
}

void RingFetch::refuse(const std::string& from, const std::string& why) {
  if (from == kService) chunks_refused_ = true;
  ++history_.refused;
  log_.warn("what should be the image of a ring is refused",
            {{"from", from}, {"ringDigest", digest_}, {"reason", why}});
}

void RingFetch::got(std::shared_ptr<const ring::Ring> ring, const std::string& from,
                    std::uint64_t& count) {
  ++count;
  history_.digest = digest_;
  history_.from = from;
  vain_ = 0;
  log_.info("a ring's image is here", {{"from", from}, {"ringDigest", digest_}});
  std::exchange(waiting_, nullptr)({std::move(ring), {}, false});
}

void RingFetch::fail(const std::string& why, bool for_good) {
  asks_service_ = false;
  ++asked_;
  std::exchange(waiting_, nullptr)({nullptr, why, for_good});
}

}  // namespace router
