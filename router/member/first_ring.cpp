#include "router/member/first_ring.hpp"

#include <exception>
#include <filesystem>
#include <utility>

#include "fleet/protocol/text.hpp"
#include "ring/durable_file.hpp"
#include "ring/generation_store.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

using coordination::Node;

constexpr std::chrono::seconds kLookAgain{1};

}  // namespace

FirstRing::FirstRing(boost::asio::io_context& loop, FleetSettings settings, std::string store,
                     Log& log)
    : settings_(std::move(settings)), store_(std::move(store)), log_(log), timer_(loop),
      rings_(
          loop, settings_, fleet::make_on(loop),
          [](const std::string&, const fleet::RingMade& told) { told(nullptr, "it is new"); }, log),
      keeper_(loop, sessions_of(settings_, loop),
              {[this](coordination::Session& session) {
                 session_ = &session;
                 rings_.session(&session);
                 look(session);
               },
               [this] {
                 session_ = nullptr;
                 rings_.session(nullptr);
                 timer_.cancel();
               },
               [this](bool there) {
                 if (!there) say("ZooKeeper does not answer");
               },
               [this](const std::string& problem) { say(problem); }}) {}

void FirstRing::start() {
  say("ZooKeeper has not answered yet");
  keeper_.start();
}

std::string FirstRing::waits_for() const {
  const std::scoped_lock lock(mutex_);
  return waits_for_;
}

void FirstRing::say(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  if (what == std::exchange(waits_for_, what)) return;
  log_.info("this router has no ring yet, and waits for its fleet's", {{"reason", what}});
}

void FirstRing::again(const std::string& why) {
  say(why);
  timer_.expires_after(kLookAgain);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && session_ != nullptr && !done_) look(*session_);
  });
}

/// A write first, so that what is read is not older than this router's start.
void FirstRing::look(coordination::Session& session) {
  const fleet::Paths& paths = settings_.paths;
  session.transact({coordination::Check{paths.state(), coordination::kAnyVersion}},
                   [this, &session](coordination::Outcome outcome, std::size_t) {
                     using coordination::Outcome;
                     const fleet::Paths& at = settings_.paths;
                     if (outcome == Outcome::no_node)
                       return again("there is no fleet at " + at.root());
                     if (outcome == Outcome::denied)
                       return again("ZooKeeper refuses this router's fleet.credentialsFile");
                     if (outcome != Outcome::done)
                       return again("ZooKeeper: " + std::string(coordination::to_string(outcome)));
                     session.get(
                         at.root(), nullptr, [this, &session](Outcome got, const Node& root) {
                           if (got != Outcome::done) return again("the fleet's root can't be read");
                           session.get(settings_.paths.state(), nullptr,
                                       [this, root](Outcome read, const Node& state) {
                                         if (read != Outcome::done)
                                           return again("the fleet's state can't be read");
                                         try {
                                           fetch(root.value, fleet::state_from(state.value));
                                         } catch (const std::exception& error) {
                                           again(error.what());
                                         }
                                       });
                         });
                   });
}

void FirstRing::fetch(const std::string& root, const fleet::State& state) {
  rings_.fetch(state.ring.digest, fleet::geometry_from(root),
               [this, name = state.ring](const RingFetch::Fetched& fetched) {
                 if (fetched.ring == nullptr) return again(fetched.why);
                 keep(name, *fetched.ring);
               });
}

void FirstRing::keep(const fleet::RingName& name, const ring::Ring& ring) {
  try {
    // Made under another name first, so that a start that was cut short leaves no half a store.
    std::filesystem::path location = std::filesystem::absolute(store_).lexically_normal();
    if (!location.has_filename()) location = location.parent_path();  // it ended with a slash
    std::filesystem::path unfinished = location;
    unfinished += ".unfinished";
    std::filesystem::create_directories(location.parent_path());
    std::filesystem::remove_all(unfinished);
    ring::GenerationStore store(unfinished);
    store.activate(store.stage_ring(ring, name.generation).generation);
    ring::durable::rename(unfinished, location);
    log_.info("this router has its fleet's ring",
              {{"generation", name.generation}, {"ringDigest", name.digest}});
  } catch (const std::exception& error) {
    failure_ = error.what();
  }
  done_ = true;
}

}  // namespace router
